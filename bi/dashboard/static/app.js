// The page: takes the changed sections from the stream and hands each to what draws it, at most once a frame.

import { Chart } from "./charts.js";
import { duration, rate } from "./format.js";
import { mark, say } from "./nodes.js";
import { drawNumbers } from "./numbers.js";
import { Orders } from "./orders.js";
import { Panel } from "./path.js";
import { drawReport } from "./report.js";
import { drawServices } from "./services.js";
import { drawStages } from "./stages.js";
import { follow } from "./stream.js";
import { route } from "./views.js";

const at = (id) => document.getElementById(id);
const panel = new Panel(at("panel"));
const orders = new Orders(at("orders"), at("orders-empty"), at("orders-note"), (id, back) => panel.open(id, back));
const charts = [
  new Chart(at("throughput"), { sources: "Sources", kafka: "Kafka", lake: "Lake", warehouse: "Warehouse" }, "", rate, 10),
  new Chart(at("delay"), { kafka: "Kafka", lake: "Lake", warehouse: "Warehouse" }, "_delay", duration, 1),
];
const draw = {
  phase: drawPhase,
  numbers: (numbers) => drawNumbers(at("numbers"), numbers),
  stages: (stages) => drawStages(at("stages"), stages),
  orders: (found) => orders.show(found),
  order_rate: (perSecond) => orders.pace(perSecond),
  services: (services) => drawServices(services),
  report: (report) => drawReport(at("report"), report),
};
let changed = {};
let asked = false;

function drawPhase(phase) {
  mark(at("phase"), "phase", phase.id);
  say(at("phase-title"), phase.title);
  say(at("phase-detail"), phase.detail);
  at("phase-detail").title = phase.detail;
  at("phase-report").hidden = !["equal", "different"].includes(phase.id);
}

function take(view) {
  for (const chart of charts) {
    if (view.course) chart.start(view.course);
    else if (view.point) chart.add(view.point);
  }
  if (view.phase) document.title = `${view.phase.title} · commerce360`;
  Object.assign(changed, view);
  if (!asked) requestAnimationFrame(paint);
  asked = true;
}

function paint() {
  const sections = changed;
  [changed, asked] = [{}, false];
  for (const [name, value] of Object.entries(sections)) draw[name]?.(value);
  for (const chart of charts) chart.draw();
  document.body.dataset.shown = "";
}

follow("/events", take, (state) => {
  mark(at("connection"), "state", state);
  say(at("connection"), state);
});

route();
