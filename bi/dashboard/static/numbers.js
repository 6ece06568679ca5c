// The headline numbers.

import { count, duration, money, NONE } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

const WRITE = { seconds: duration, count, money, text: (value) => value ?? NONE };

export function drawNumbers(list, numbers) {
  keyed(list, numbers, (n) => n.id, make, fill);
}

function make(number) {
  return el("div", { class: "number", "data-id": number.id }, el("dt"), el("dd", { class: "value" }), el("dd", { class: "note" }));
}

function fill(node, number) {
  const [label, value, note] = node.children;
  const text = WRITE[number.kind](number.value);
  say(label, number.label);
  say(value, text);
  say(note, number.note);
  mark(node, "known", String(text !== NONE));
  if (number.id === "lost" && number.value) mark(node, "good", String(number.value === "0 / 0"));
}
