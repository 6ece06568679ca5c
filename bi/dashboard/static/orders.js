// The latest orders. While somebody points at the list it stands still: nobody can hit a row that moves.

import { clock, money, rate } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

export const SOURCES = { web: "web shop", oltp: "back office" };

export class Orders {
  // `choose(order id, element to go back to)`: the element is null where a pointer chose.
  constructor(list, empty, note, choose) {
    Object.assign(this, { list, empty, note, choose, waiting: null, perSecond: 0 });
    list.addEventListener("click", (event) => {
      const row = event.target.closest("button");
      if (row) choose(row.parentNode.dataset.key, event.detail === 0 ? row : null);
    });
    list.addEventListener("pointerleave", () => this.release());
    list.addEventListener("focusout", () => this.release());
  }

  show(orders) {
    this.waiting = orders;
    if (this.held()) this.freshen(orders);
    else this.release();
    this.tell();
  }

  pace(perSecond) {
    this.perSecond = perSecond;
    this.tell();
  }

  held() {
    return this.list.childElementCount > 0 && (this.list.matches(":hover") || this.list.querySelector(":focus-visible") !== null);
  }

  release() {
    if (!this.waiting) return;
    keyed(this.list, this.waiting, (o) => o.order_id, make, fill);
    this.empty.hidden = this.waiting.length > 0;
    this.waiting = null;
    this.tell();
  }

  // Rows that stay where they are may still become queryable.
  freshen(orders) {
    const known = new Map(orders.map((o) => [o.order_id, o]));
    for (const node of this.list.children) if (known.has(node.dataset.key)) fill(node, known.get(node.dataset.key));
  }

  tell() {
    const pace = this.perSecond ? `${rate(this.perSecond)} web orders/s` : "";
    say(this.note, this.waiting && this.held() ? "held while you choose" : pace);
  }
}

function make(order) {
  return el(
    "li",
    {},
    el(
      "button",
      { type: "button", class: "order", "aria-haspopup": "dialog" },
      el("span", { class: "when" }, clock(order.placed_at)),
      el("span", { class: "id" }, order.order_id),
      el("span", { class: "tag", "data-source": order.source }, SOURCES[order.source] ?? order.source),
      el("span", { class: "who" }),
      el("span", { class: "amount" }),
      el("span", { class: "reach" }),
    ),
  );
}

function fill(node, order) {
  const at = (name) => node.querySelector(`.${name}`);
  const who = [order.customer || (order.customer_id == null ? "unknown customer" : `customer ${order.customer_id}`), order.city];
  say(at("who"), who.filter(Boolean).join(", "));
  say(at("amount"), money(order.amount, order.currency));
  say(at("reach"), order.queryable ? "in warehouse" : "in gold");
  mark(node, "queryable", String(order.queryable));
}
