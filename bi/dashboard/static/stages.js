// The stages as connected cards, left to right.

import { count, duration, rate } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

const HEALTH = { ok: "Healthy", idle: "Stopped", starting: "Starting", recovering: "Recovering", down: "Down", unknown: "Not seen" };
const DELAY = { kafka: "Source to Kafka", lake: "Order to gold", warehouse: "Order to query" };
const VALUE = { "/s": (value) => `${rate(value)} /s`, rows: count, id: (value) => (value == null ? "–" : String(value)) };

export function drawStages(list, stages) {
  keyed(list, stages, (s) => s.id, make, fill);
}

function make(stage) {
  const delay = DELAY[stage.id] ? pair("delay") : null;
  return el(
    "li",
    { class: "stage card", "data-stage": stage.id },
    el("header", {}, el("h3", {}, stage.title), el("span", { class: "health" })),
    el("p", { class: "tech" }, stage.tech),
    el("p", { class: "rate" }, el("b"), " ", el("span")),
    el("dl", { class: "pairs" }, delay, pair("lag")),
    el("dl", { class: "parts" }),
    el("ul", { class: "chips", "aria-label": `Services of ${stage.title}` }),
  );
}

const pair = (name) => el("div", { class: name }, el("dt"), el("dd"));

function fill(node, stage) {
  const at = (selector) => node.querySelector(selector);
  mark(node, "health", stage.health);
  mark(node, "flow", String(stage.rate > 0));
  say(at(".health"), HEALTH[stage.health] ?? stage.health);
  at(".health").title = stage.health_text;
  say(at(".rate b"), rate(stage.rate));
  say(at(".rate span"), stage.unit);
  if (DELAY[stage.id]) {
    say(at(".delay dt"), DELAY[stage.id]);
    say(at(".delay dd"), duration(stage.delay_s));
  }
  say(at(".lag dt"), stage.lag_unit);
  say(at(".lag dd"), count(stage.lag));
  keyed(at(".parts"), stage.parts, (p) => p.label, () => el("div", {}, el("dt"), el("dd")), fillPart);
  keyed(at(".chips"), Object.entries(stage.services), ([name]) => name, () => el("li", {}, el("span"), el("small")), fillChip);
}

function fillPart(node, part) {
  say(node.firstChild, part.label);
  say(node.lastChild, (VALUE[part.unit] ?? count)(part.value));
}

function fillChip(node, [name, health]) {
  mark(node, "health", health);
  say(node.firstChild, name);
  say(node.lastChild, health === "ok" ? "" : (HEALTH[health] ?? health).toLowerCase());
  node.title = `${name}: ${(HEALTH[health] ?? health).toLowerCase()}`;
}
