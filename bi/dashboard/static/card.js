// One customer: the row of mart_customer_360 in words.

import { count, moment, money, NONE } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

export const RISK = { high: "high risk", medium: "medium risk", low: "low risk", none: "never ordered" };
const REASONS = {
  no_order_for_long: "No order for longer than usual.",
  last_order_returned: "The last order came back.",
  bad_review: "The last review has one or two stars.",
  visits_fell: "Used to visit, and has not in the last 30 days.",
};

export function drawCard(at, card) {
  say(at("customer-title"), card.full_name ?? `Customer ${card.customer_id}`);
  const who = [`Customer ${card.customer_id}`, [card.city, card.country].filter(Boolean).join(", "), card.email_masked];
  const consent = { true: "wants news", false: "wants no news" }[String(card.marketing_consent)];
  say(at("customer-who"), [...who, card.is_known ? consent : "known from sales and visits only"].filter(Boolean).join(" · "));
  const badges = [card.tier ? `${card.tier} tier` : "no tier", RISK[card.churn_risk] ?? card.churn_risk];
  keyed(at("customer-badges"), badges, (text) => text, (text) => el("span", { class: "badge" }, text), () => {});
  mark(at("customer-badges").lastElementChild, "risk", card.churn_risk);
  keyed(at("customer-traits"), traits(card), ([name]) => name, makeTrait, fillTrait);
  drawLeaving(at("customer-leaving"), card);
}

function drawLeaving(box, card) {
  mark(box, "risk", card.churn_risk);
  say(box.firstElementChild, `Risk to leave: ${card.churn_risk}, ${card.churn_score} of 100 points`);
  keyed(box.lastElementChild, card.churn_reasons, (r) => r, (r) => el("li", {}, REASONS[r] ?? r), () => {});
}

const share = (text) => (text == null ? NONE : `${(Number(text) * 100).toFixed(1)} %`);
const of = (text, digits) => (text == null ? NONE : Number(text).toFixed(digits));

function traits(card) {
  const others = card.other_currency_orders ? `, ${card.other_currency_orders} in other currencies left out` : "";
  return [
    ["Lifetime value", money(card.lifetime_value, "EUR"), `${money(card.average_order_value, "EUR")} an order${others}`],
    ["Orders", count(card.orders), `${card.returned_orders} returned, ${card.cancelled_orders} cancelled`],
    ["Return rate", share(card.return_rate), "of orders not cancelled"],
    ["RFM", card.rfm_cell, `recency ${card.recency_score}, frequency ${card.frequency_score}, money ${card.monetary_score} of 5`],
    ["Visits", `${card.sessions_7d} / ${card.sessions_30d}`, `in 7 / 30 days; ${count(card.sessions)} in all`],
    ["Abandoned carts", count(card.abandoned_carts), "visits with a cart and no order"],
    ["Favourite category", card.favourite_category ?? NONE, `${count(card.units)} units bought`],
    ["Sentiment", of(card.average_sentiment, 2), `-1 to 1; ${count(card.reviews)} reviews, ${of(card.average_rating, 1)} stars`],
    ["Last contact", moment(card.last_contact_at), `last order ${moment(card.last_order_at)}`],
  ];
}

function makeTrait() {
  return el("div", {}, el("dt"), el("dd", { class: "value" }), el("dd", { class: "note" }));
}

function fillTrait(node, texts) {
  texts.forEach((text, i) => say(node.children[i], text));
}
