// Beside the customer: how the shop does. Funnel by campaign, revenue of the last hour, reviews by day.

import { Asking, sentence } from "./ask.js";
import { count, minute, money, NONE, short } from "./format.js";
import { el, keyed, say } from "./nodes.js";
import { Plot } from "./plot.js";

const STEPS = { viewed: "Viewed a product", carted: "Put it into the cart", checked_out: "Went to the checkout", paid: "Paid" };
const NUMBERS = ["sessions", "carted", "checked_out", "paid"];

const HOUR_S = 3600;
const MINUTE_S = 60;
const day = (epoch) => new Date(epoch * 1000).toLocaleDateString("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });

export class Shop {
  constructor(view) {
    this.at = (id) => view.querySelector(`#${id}`);
    this.open = false;
    this.funnel = [];
    this.asking = new Asking(() => "/api/shop", (found) => this.take(found), () => this.open);
    this.minutes = new Plot(this.at("minutes"), {
      lines: [{ color: "warehouse", name: "net", write: (v) => money(v, "EUR"), bars: true }],
      x: minute, steps: [600, 1200, 1800], y: [{ range: (most) => [0, Math.max(10, most * 1.1)], write: short }],
      empty: "No order in the last hour.",
    });
    this.feelings = new Plot(this.at("feelings"), {
      lines: [
        { color: "kafka", name: "words, -1 to 1", write: (v) => (v == null ? "not scored" : v.toFixed(2)) },
        { color: "warehouse", name: "stars, 1 to 5", write: (v) => (v == null ? NONE : v.toFixed(1)), scale: 1, dash: [6, 4] },
      ],
      x: day, steps: [86400, 2 * 86400, 7 * 86400, 14 * 86400], y: [{ range: () => [-1, 1], marks: [-1, 0, 1], write: short }, { range: () => [1, 5], marks: [1, 3, 5], write: short }],
      empty: "No reviews yet.",
    });
    this.at("funnel-days").addEventListener("change", () => this.drawFunnel());
  }

  show(open) {
    this.open = open;
    this.asking.again();
  }

  take(found) {
    say(this.at("shop-notice"), found.error ? sentence(found.error) : "");
    this.at("shop-notice").hidden = !found.error;
    if (found.error) return;
    this.funnel = found.funnel;
    this.drawFunnel();
    const end = Math.floor(found.now / MINUTE_S - 1) * MINUTE_S; // the running minute would look like a loss
    const worth = new Map(found.minutes.map((m) => [m.minute, Number(m.net_eur)]));
    const times = Array.from({ length: HOUR_S / MINUTE_S }, (_, i) => end - HOUR_S + (i + 1) * MINUTE_S);
    this.minutes.draw([times, times.map((t) => worth.get(t) ?? 0)], found.minutes.length === 0);
    const number = (value) => (value == null ? null : Number(value));
    const { days } = found;
    this.feelings.draw(
      [days.map((d) => Date.parse(d.day) / 1000), days.map((d) => number(d.average_sentiment)), days.map((d) => number(d.average_rating))],
      days.length === 0,
    );
  }

  drawFunnel() {
    const suffix = this.at("funnel-days").querySelector(":checked").value === "today" ? "_today" : "";
    const rows = this.funnel.map((f) => [f.campaign_id, ...NUMBERS.map((n) => Number(f[`${n}${suffix}`]))]).filter(([, visits]) => visits > 0);
    rows.sort((a, b) => b[1] - a[1]);
    const all = (name) => this.funnel.reduce((sum, f) => sum + Number(f[`${name}${suffix}`]), 0);
    const most = all("sessions");
    keyed(this.at("funnel-steps"), Object.entries(STEPS), ([name]) => name, makeStep, (node, [name, text]) => {
      say(node.children[0], text);
      say(node.children[1], count(all(name)));
      say(node.children[2], percent(all(name), most));
      node.children[3].firstElementChild.style.width = most ? `${Math.min(100, (100 * all(name)) / most)}%` : "0";
    });
    keyed(this.at("funnel-rows"), rows, ([campaign]) => campaign, makeRow, fillRow);
  }
}

const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : NONE);

function makeStep() {
  return el("li", {}, el("span"), el("b"), el("small"), el("div", { class: "track" }, el("i")));
}

function makeRow([campaign]) {
  return el("tr", {}, el("th", { scope: "row" }, campaign), ...NUMBERS.map(() => el("td")), el("td"));
}

function fillRow(row, [, ...numbers]) {
  numbers.forEach((value, i) => say(row.children[i + 1], count(value)));
  say(row.lastElementChild, percent(numbers.at(-1), numbers[0]));
}
