// The parts of an order's path: its way through the stages, its lines, what came later, and its customer's history.

import { count, duration, exactClock, moment, money, NONE, utc } from "./format.js";
import { el } from "./nodes.js";

const STAGE_OF = { placed: "sources", kafka: "kafka", taken: "lake", gold: "lake", warehouse: "warehouse" };
const MATCH = {
  exact: "The version in force when the order was placed is marked.",
  early: "The order is older than the first version that is known; that one counts.",
  gap: "The order was placed while no version was in force; the last one before it counts.",
  inferred: "Nothing but this order is known of the customer yet.",
  none: "The time of the order is not known yet.",
};
const ATTRIBUTES = { full_name: "Name", city: "City", country: "Country", tier: "Tier" };

export function way(steps) {
  if (!steps.length) return el("p", { class: "empty" }, "The times of this order are not known.");
  const [first, last] = [steps[0], steps.at(-1)];
  const done = last.at != null && first.at != null;
  const sum = done ? `${duration(last.at - first.at)} from the source to a query of the warehouse` : "On its way to the warehouse";
  return el("div", { class: "way" }, el("p", { class: "sum" }, sum), bar(steps), el("ol", { class: "steps" }, ...steps.map(step)));
}

// How the time was spent, hop by hop; a text alternative is the list below it.
function bar(steps) {
  const hops = steps.filter((s) => s.ms);
  return el("div", { class: "hops", "aria-hidden": "true" }, ...hops.map((hop) => {
    const node = el("span", { "data-stage": STAGE_OF[hop.id], title: `${hop.label}: ${duration(hop.ms / 1000)}` });
    node.style.flexGrow = String(hop.ms);
    return node;
  }));
}

function step(found) {
  return el(
    "li",
    { "data-stage": STAGE_OF[found.id], "data-done": String(found.at != null) },
    el("b", {}, found.label),
    el("time", { datetime: utc(found.at) || null, title: utc(found.at) || null }, found.at == null ? "not yet" : exactClock(found.at)),
    el("small", {}, found.detail),
    el("span", { class: "gap" }, found.ms == null ? "" : `+ ${duration(found.ms / 1000)}`),
  );
}

export function lines(found, currency) {
  if (!found.length) return el("p", { class: "empty" }, "The header of this order is here, its lines are not.");
  const head = ["Product", "Qty", "Price", "Discount", "Amount"].map((name) => el("th", { scope: "col" }, name));
  const rows = found.map((line) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, line.product),
      el("td", {}, count(line.quantity)),
      ...[line.unit_price, line.discount, line.sale_amount].map((text) => el("td", {}, text == null ? NONE : money(text, " ").trim())),
    ),
  );
  return el(
    "table",
    { class: "lines" },
    el("caption", {}, currency ? `In ${currency}` : ""),
    el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows),
  );
}

export function later(changes) {
  return el("ol", { class: "changes" }, ...changes.map((change) => {
    const what = change.deleted ? "deleted" : (change.status ?? "status not known");
    const took = change.at != null && change.gold_at != null ? `in gold ${duration(change.gold_at - change.at)} later` : "";
    const where = [change.topic, took, `batch ${change.batch_id}`].filter(Boolean).join(", ");
    return el("li", {}, el("b", {}, what), el("time", { datetime: utc(change.at) || null }, moment(change.at)), el("small", {}, where));
  }));
}

export function customer(versions, match) {
  const note = el("p", { class: "aside" }, MATCH[match] ?? "");
  if (!versions.length) return note;
  const newest = versions.map((version, i) => entry(version, versions[i - 1])).reverse();
  return el("div", {}, note, el("ol", { class: "versions" }, ...newest));
}

function entry(version, before) {
  const tags = [version.then ? "at the order" : null, version.is_current ? "current" : null].filter(Boolean);
  const until = version.valid_to == null ? "now" : moment(version.valid_to);
  const ended = version.closed_by && version.closed_by !== "change" ? `, ended by ${version.closed_by}` : "";
  const values = Object.entries(ATTRIBUTES).map(([key, name]) =>
    el(
      "div",
      { "data-changed": String(Boolean(before) && before[key] !== version[key]) },
      el("dt", {}, name),
      el("dd", {}, version[key] ?? NONE),
    ),
  );
  return el(
    "li",
    { "data-then": String(version.then) },
    el("p", { class: "span" }, `${moment(version.valid_from)} – ${until}${ended} `, ...tags.map((text) => el("span", { class: "tag" }, text))),
    el("dl", {}, ...values),
  );
}
