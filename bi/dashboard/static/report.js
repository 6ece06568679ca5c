// The reconciliation: table by table what each stage holds, and how late changes were.

import { count, duration, moment } from "./format.js";
import { el, say } from "./nodes.js";

const COLUMNS = ["Source", "Topic", "Bronze", "Silver / gold", "Warehouse"];
const COLUMN_OF = {
  postgres: "Source", mongo: "Source", producer: "Source", sources: "Source", topic: "Topic", bronze: "Bronze",
  calendar: "Source", recomputed: "Source", silver: "Silver / gold", gold: "Silver / gold", lake: "Silver / gold", "lake log": "Silver / gold", warehouse: "Warehouse", "warehouse RAW": "Warehouse",
};
const HOPS = { kafka: "In Kafka", gold: "In gold", warehouse: "Queryable in the warehouse" };

export function drawReport(card, report) {
  const header = card.querySelector("header");
  if (!report) return;
  say(header.querySelector("small"), moment(report.at));
  const landed = (table) => table.name.startsWith("raw.");
  const business = report.tables.filter((t) => !landed(t));
  const landing = report.tables.filter(landed);
  card.replaceChildren(
    header,
    verdict(report),
    tables("What entered and what came out, in rows", business),
    landing.length ? tables("The lake's logs and what was streamed, row by row", landing) : "",
    freshness(report.freshness_s),
  );
}

function verdict(report) {
  const numbers = [["lost", report.lost], ["doubled", report.doubled], ["changed", report.changed], ["rejected", report.rejected]];
  const broken = report.broken_invariants ?? [];
  return el(
    "div",
    { class: "verdict", "data-equal": String(report.equal) },
    el("p", {}, report.equal ? "All stages are equal" : "Stages differ"),
    el("dl", {}, ...numbers.map(([name, value]) => el("div", {}, el("dd", {}, count(value)), el("dt", {}, name)))),
    broken.length ? el("ul", {}, ...broken.map((text) => el("li", {}, text))) : null,
  );
}

function tables(caption, found) {
  const used = COLUMNS.filter((column) => found.some((t) => column in byColumn(t)));
  const head = ["Table", ...used, "Result"].map((name) => el("th", { scope: "col" }, name));
  return el(
    "table",
    { class: "ledger" },
    el("caption", {}, caption),
    el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...found.flatMap((table) => rows(table, used))),
  );
}

function rows(table, used) {
  const counts = byColumn(table);
  const cells = used.map((column) => el("td", { "data-column": column, "data-told": String(column in counts) }, count(counts[column])));
  const result = el("td", { class: "result", "data-equal": String(table.equal) }, table.equal ? "equal" : "differs");
  const made = [el("tr", {}, el("th", { scope: "row" }, table.name.replace(/^raw\./, "")), ...cells, result)];
  if (table.differences.length) {
    const list = el("ul", {}, ...table.differences.map((text) => el("li", {}, text)));
    made.push(el("tr", { class: "differences" }, el("td", { colspan: used.length + 2 }, list)));
  }
  return made;
}

function byColumn(table) {
  return Object.fromEntries(Object.entries(table.counts).map(([stage, n]) => [COLUMN_OF[stage] ?? stage, n]));
}

function freshness(hops) {
  const told = Object.keys(HOPS).filter((hop) => "p50" in (hops[hop] ?? {}));
  if (!told.length) return "";
  const head = ["Delay from the commit at the source", "Median", "90 %", "99 %", "Longest"].map((name) => el("th", { scope: "col" }, name));
  const body = told.map((hop) => {
    const cells = ["p50", "p90", "p99", "max"].map((p, i) => el("td", { "data-column": head[i + 1].textContent }, duration(hops[hop][p])));
    return el("tr", {}, el("th", { scope: "row" }, HOPS[hop]), ...cells);
  });
  return el("table", { class: "ledger" }, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...body));
}
