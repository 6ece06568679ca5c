// The two views: what stands behind the # says which. "#360" is the list of customers, "#360/17" one of them; anything else is the live view.

import { Customers } from "./customers.js";
import { Shop } from "./shop.js";

const at = (id) => document.getElementById(id);

export function route() {
  const customers = new Customers(at("view-360"));
  const shop = new Shop(at("view-360"));
  addEventListener("hashchange", () => show(true));
  show(false);

  function show(moved) {
    const [, is360, id] = location.hash.match(/^#(360)(?:\/(\d{1,19}))?$/) ?? [];
    const returned = !is360 && at("view-live").hidden;
    at("view-live").hidden = Boolean(is360);
    at("view-360").hidden = !is360;
    for (const tab of document.querySelectorAll(".tabs a")) {
      if ((tab.dataset.view === "360") === Boolean(is360)) tab.setAttribute("aria-current", "page");
      else tab.removeAttribute("aria-current");
    }
    customers.show(Boolean(is360), id ?? null, moved);
    shop.show(Boolean(is360));
    if (returned) at(location.hash.slice(1))?.scrollIntoView(); // the browser could not: it was hidden
  }
}
