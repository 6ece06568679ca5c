// What a query of the warehouse finds of an order, held against the lake.

import { count, duration, money } from "./format.js";
import { el } from "./nodes.js";

const MATCH = {
  exact: "in force at the order",
  early: "first known; the order is older",
  gap: "last one before a gap",
  inferred: "customer known from facts only",
  none: "none",
};

export function checked(path, found) {
  if (found.error) return el("p", { class: "empty" }, found.error);
  if (!found.lines) return el("p", { class: "empty" }, `Nothing of this order yet (the query took ${found.ms} ms).`);
  const then = path.versions.find((v) => v.then);
  const facts = [
    ["Lines", count(found.lines), found.lines === path.lines.length],
    ["Amount", money(found.amount, path.currency), cents(found.amount) === cents(path.amount)],
    ["Status", found.status ?? "–", found.status === path.status],
    ["Customer version", MATCH[found.customer_match] ?? found.customer_match, !then || then.version_key === found.customer_version_key],
  ];
  return el(
    "div",
    { class: "check" },
    el("dl", { class: "facts" }, ...facts.map(fact)),
    el("p", { class: "aside" }, verdict(facts), ` The query took ${duration(found.ms / 1000)}.`),
  );
}

function fact([name, value, same]) {
  const sign = el("span", { class: "sign", title: same ? "as in the lake" : "not as in the lake" }, same ? "=" : "≠");
  return el("div", { "data-same": String(same) }, el("dt", {}, name), el("dd", {}, value, "\u00a0", sign));
}

function verdict(facts) {
  const others = facts.filter(([, , same]) => !same).map(([name]) => name.toLowerCase());
  if (!others.length) return "The same as in the lake.";
  return `Not yet as in the lake: ${others.join(", ")}.`;
}

const cents = (text) => Math.round(Number(text ?? NaN) * 100);
