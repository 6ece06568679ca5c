// Search, the customers found, and the one that is chosen.

import { Asking, sentence } from "./ask.js";
import { drawCard, RISK } from "./card.js";
import { count, money } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";
import { drawTimeline } from "./timeline.js";

const TYPING_MS = 300;
const SHORT = {
  no_order_for_long: "no order for long",
  last_order_returned: "last order returned",
  bad_review: "bad review",
  visits_fell: "visits fell",
};

export class Customers {
  constructor(view) {
    const at = (id) => view.querySelector(`#${id}`);
    Object.assign(this, { at, open: false, id: null, text: "", last: null });
    const searched = () => `/api/customers${this.text ? `?q=${encodeURIComponent(this.text)}` : ""}`;
    this.list = new Asking(searched, (found) => this.drawList(found), () => this.open && this.id === null);
    this.one = new Asking(() => `/api/customers/${this.id}`, (found) => this.drawOne(found), () => this.open && this.id !== null);
    at("search").addEventListener("submit", (event) => {
      event.preventDefault();
      this.search();
    });
    at("search-text").addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.search(), TYPING_MS);
    });
  }

  show(open, id, moved) {
    const back = open && id === null && this.id !== null;
    Object.assign(this, { open, id });
    this.at("people").hidden = id !== null;
    this.at("customer").hidden = true;
    this.notice("");
    this.list.again();
    this.one.again();
    if (id !== null) {
      this.notice("Asking the warehouse…");
      this.last = id;
      this.focusing = moved;
    } else if (back && document.activeElement !== this.at("search-text")) {
      this.at("people-list").querySelector(`[data-key="${this.last}"] a`)?.focus();
    }
  }

  search() {
    clearTimeout(this.typing);
    const text = this.at("search-text").value.trim();
    if (text === this.text && this.id === null) return;
    this.text = text;
    if (this.id !== null) location.hash = "#360";
    else this.list.again();
  }

  notice(text) {
    say(this.at("customers-notice"), text);
    this.at("customers-notice").hidden = !text;
  }

  drawList(found) {
    this.notice(found.error ? sentence(found.error) : "");
    if (found.error) return say(this.at("people-empty"), "No customers are known just now.");
    const { customers, more } = found;
    say(this.at("people-title"), this.text ? `Customers with “${this.text}”` : "Customers worth a look");
    say(this.at("people-note"), this.text ? hits(customers.length, more) : "highest risk to leave first, then by value");
    const list = this.at("people-list");
    // Nobody can hit a row that moves: the rows stand still under a pointer or a focus as long as they answer the same search.
    const held = list.dataset.text === this.text && list.matches(":hover, :focus-within");
    const known = new Map(customers.map((c) => [String(c.customer_id), c]));
    if (held) for (const node of list.children) known.has(node.dataset.key) && fill(node, known.get(node.dataset.key));
    else keyed(list, customers, (c) => c.customer_id, make, fill);
    mark(list, "text", this.text);
    say(this.at("people-empty"), this.text ? "No customer with this number, name or e-mail." : "The warehouse knows no customers yet.");
    this.at("people-empty").hidden = list.childElementCount > 0;
  }

  drawOne(found) {
    this.notice(found.error ? sentence(found.error) : "");
    if (found.error) return;
    drawCard(this.at, found.card);
    drawTimeline(this.at, found);
    this.at("customer").hidden = false;
    if (this.focusing) this.at("customer-title").focus({ preventScroll: true });
    this.focusing = false;
  }
}

const hits = (number, more) => (more ? `the ${number} most valuable` : `${count(number)} found`);

function make(customer) {
  const parts = ["name", "place", "reasons", "worth", "risk"].map((name) => el("span", { class: name }));
  return el("li", {}, el("a", { class: "person", href: `#360/${customer.customer_id}` }, ...parts));
}

function fill(node, customer) {
  const put = (name, text) => say(node.querySelector(`.${name}`), text);
  put("name", customer.full_name ?? `Customer ${customer.customer_id}`);
  put("place", [`no. ${customer.customer_id}`, customer.city, customer.tier].filter(Boolean).join(" · "));
  put("worth", money(customer.lifetime_value, "EUR"));
  put("reasons", (customer.churn_reasons ?? []).map((reason) => SHORT[reason] ?? reason).join(", "));
  put("risk", RISK[customer.churn_risk] ?? "not rated yet");
  mark(node, "risk", customer.churn_risk ?? "none");
}
