// What a customer did, newest first.

import { duration, moment, money, utc } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

const KIND = { visit: "Visit", order: "Order", review: "Review", tier: "Tier" };
const IDENTITY = { later: "recognised by a later visit", earlier: "recognised by an earlier visit" };
const STARS = 5;

export function drawTimeline(at, found) {
  const { timeline, more } = found;
  say(at("timeline-note"), more ? `the newest ${timeline.length}` : `${timeline.length} events`);
  keyed(at("timeline"), timeline, key, make, fill);
}

const key = (e) => `${e.kind}:${e.session_id ?? e.order_id ?? e.review_id ?? e.at}`;

function make(event) {
  const parts = ["title", "when", "detail", "words", "mood"].map((name) => el(name === "when" ? "time" : "p", { class: name }));
  return el("li", { class: "event", "data-kind": event.kind }, el("span", { class: "kind" }, KIND[event.kind]), ...parts);
}

function fill(node, event) {
  const told = TELL[event.kind](event);
  for (const name of ["title", "detail", "words", "mood"]) {
    const part = node.querySelector(`.${name}`);
    say(part, told[name] ?? "");
    part.hidden = !told[name];
  }
  const when = node.querySelector(".when");
  say(when, moment(event.at));
  when.setAttribute("datetime", utc(event.at));
  mark(node, "tone", told.tone ?? "");
}

const some = (number, one, many = `${one}s`) => number > 0 && `${number} ${number === 1 ? one : many}`;

function stars(rating) {
  const full = Math.min(STARS, Math.max(0, Math.round(Number(rating) || 0))); // any number may have been written
  return "★".repeat(full) + "☆".repeat(STARS - full);
}

const TELL = {
  visit: (e) => ({
    title: `${e.campaign_id ? `Came by ${e.campaign_id}` : "Came without a campaign"}${e.device ? `, ${e.device}` : ""}`,
    detail: [
      some(e.views, "view"), some(e.searches, "search", "searches"), some(e.carts, "put into the cart", "put into the cart"),
      e.checkouts > 0 && "checkout", e.duration_s > 0 && duration(e.duration_s).replace(/\.\d+ s$/, " s"), IDENTITY[e.identity],
    ].filter(Boolean).join(" · "),
    mood: e.orders > 0 ? "ordered" : e.carts > 0 ? "cart left behind" : "no order",
    tone: e.orders > 0 ? "good" : "",
  }),
  order: (e) => ({
    title: `${e.order_id}, ${money(e.amount, e.currency ?? "(no currency)")}`,
    detail: [some(e.units, "unit"), some(e.lines, "line"), e.campaign_id && `by ${e.campaign_id}`].filter(Boolean).join(" · "),
    mood: e.status ?? "status not known",
    tone: { returned: "bad", cancelled: "bad", shipped: "good" }[e.status],
  }),
  review: (e) => ({
    title: `${stars(e.rating)} ${e.rating ?? "no"} of ${STARS}, ${e.product ?? "a product"}`,
    words: [e.title, e.body].filter(Boolean).join(": "),
    mood: e.sentiment_error ? "words could not be scored" : feeling(e),
    tone: { positive: "good", negative: "bad", mixed: "mixed" }[e.sentiment_label],
  }),
  tier: (e) => ({ title: e.tier_before ? `From ${e.tier_before} to ${e.tier ?? "none"}` : `Account known, tier ${e.tier ?? "none"}` }),
};

function feeling(event) {
  if (!event.sentiment_label) return "words not scored yet";
  return event.sentiment == null ? event.sentiment_label : `${event.sentiment_label} (${Number(event.sentiment).toFixed(2)})`;
}
