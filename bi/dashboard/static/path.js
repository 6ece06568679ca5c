// The panel with one order's path. It asks again until the order has reached the warehouse.

import { ask, sentence } from "./ask.js";
import { money } from "./format.js";
import { el } from "./nodes.js";
import { SOURCES } from "./orders.js";
import { checked } from "./check.js";
import { customer, later, lines, way } from "./story.js";

const AGAIN_MS = 1000;
const TRIES = 30;

export class Panel {
  constructor(dialog) {
    this.dialog = dialog;
    this.title = dialog.querySelector("#panel-title");
    this.body = dialog.querySelector("#panel-body");
    this.orderId = null;
    this.back = null;
    dialog.querySelector("#panel-close").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    dialog.addEventListener("close", () => this.closed());
  }

  open(orderId, back) {
    this.back = back;
    this.orderId = orderId;
    this.title.textContent = orderId;
    this.body.replaceChildren(el("p", { class: "empty", role: "status" }, "Reading the path of this order…"));
    this.body.scrollTop = 0;
    this.dialog.showModal();
    this.load(orderId, TRIES);
  }

  closed() {
    this.orderId = null;
    clearTimeout(this.timer);
    // A pointer's focus would hold the list of orders still.
    if (!this.back) document.activeElement?.blur();
  }

  async load(orderId, tries) {
    const address = `/api/orders/${encodeURIComponent(orderId)}`;
    const [path, found] = await Promise.all([ask(address), ask(`${address}/warehouse`)]);
    if (this.orderId !== orderId) return; // closed, or another one is open
    if (path.error) return this.fail(path.error);
    this.show(path, found);
    const arrived = path.steps.every((step) => step.at != null) && (found.error || found.lines > 0);
    if (!arrived && tries > 0) this.timer = setTimeout(() => this.load(orderId, tries - 1), AGAIN_MS);
  }

  fail(reason) {
    const again = el("button", { type: "button", class: "again" }, "Try again");
    again.addEventListener("click", () => this.open(this.orderId, this.back));
    this.body.replaceChildren(el("p", { class: "empty", role: "alert" }, sentence(reason)), again);
  }

  show(path, found) {
    const facts = [
      ["Amount", money(path.amount, path.currency)],
      ["Status", path.status ?? "not known"],
      ["First seen in", SOURCES[path.source] ?? path.source],
      ["Customer", path.customer_id == null ? "not known" : String(path.customer_id)],
    ];
    const made = [
      el("dl", { class: "facts" }, ...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))),
      part("Path", way(path.steps)),
      part("What the warehouse says", checked(path, found.error ? { error: sentence(found.error) } : found)),
      part("Lines", lines(path.lines, path.currency)),
      path.later.length ? part("What happened later", later(path.later)) : null,
      part("Customer", customer(path.versions, path.match)),
    ];
    this.body.replaceChildren(...made.filter(Boolean));
  }
}

const part = (title, ...content) => el("section", {}, el("h3", {}, title), ...content);
