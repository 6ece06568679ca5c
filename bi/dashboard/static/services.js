// The supervised processes.

import { count, memory, NONE } from "./format.js";
import { el, keyed, mark, say } from "./nodes.js";

const HEALTH = { ready: "ok", starting: "starting", restarting: "recovering", failed: "down" };

export function drawServices(services) {
  const at = (id) => document.getElementById(id);
  keyed(at("services"), services, (s) => s.name, make, fill);
  at("services-empty").hidden = services.length > 0;
  at("services").parentNode.hidden = services.length === 0;
  const total = services.reduce((sum, s) => sum + used(s), 0);
  say(at("services-note"), total ? `${memory(total)} in all` : "");
}

function make(service) {
  const state = el("td", { class: "state" }, el("span", { class: "dot" }), el("span"));
  return el("tr", {}, el("th", { scope: "row" }, service.name), state, el("td"), el("td"), el("td"));
}

function fill(row, service) {
  const [, state, pid, restarts, taken] = row.children;
  mark(row, "health", HEALTH[service.state] ?? "idle");
  say(state.lastChild, service.state ?? NONE);
  state.title = service.failure || "";
  say(pid, service.pid == null ? NONE : String(service.pid));
  say(restarts, count(service.restarts));
  mark(restarts, "some", String(service.restarts > 0));
  say(taken, memory(used(service)));
}

// What was measured last of a process that has ended is nobody's any more.
const used = (service) => (service.pid == null ? 0 : (service.memory_mb ?? 0));
