// A chart of the last five minutes: lines by stage, a legend that shows the values under the pointer, else the last ones.

import { minute, short } from "./format.js";
import { el, say } from "./nodes.js";

const SPAN_S = 300;
const dark = matchMedia("(prefers-color-scheme: dark)");

export class Chart {
  // `stages`: {id: name}; the value of a stage is the point's `<id><suffix>`. `floor`: the least height of the value axis.
  constructor(figure, stages, suffix, write, floor) {
    this.ticks = suffix ? (value) => write(value).replace(".00 s", " s") : short;
    this.stages = stages;
    this.names = Object.keys(stages).map((id) => `${id}${suffix}`);
    this.write = write;
    this.floor = floor;
    this.box = figure.querySelector(".plot");
    this.values = Object.entries(stages).map(([id, name]) => legendEntry(figure.querySelector(".legend"), id, name));
    this.empty = el("p", { class: "empty" }, "Nothing has moved in the last five minutes.");
    this.box.append(this.empty);
    this.columns = [[], ...this.names.map(() => [])];
    new ResizeObserver(() => this.resize()).observe(this.box);
    dark.addEventListener("change", () => this.build());
  }

  start(course) {
    this.columns = [course.t ?? [], ...this.names.map((name) => course[name] ?? [])].map((column) => [...column]);
  }

  add(point) {
    this.columns[0].push(point.t);
    this.names.forEach((name, i) => this.columns[i + 1].push(point[name] ?? null));
    while (this.columns[0][0] < point.t - SPAN_S - 5) this.columns.forEach((column) => column.shift());
  }

  draw() {
    if (!this.plot) this.build();
    this.plot.setData(this.columns);
    this.empty.hidden = this.columns.slice(1).some((column) => column.some((value) => value));
    this.tell();
  }

  build() {
    this.plot?.destroy();
    const css = getComputedStyle(document.documentElement);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const font = `11px ${css.fontFamily}`;
    const axis = { stroke: color("muted"), font, ticks: { show: false }, grid: { stroke: color("line"), width: 1 } };
    this.plot = new uPlot(
      {
        ...this.size(),
        padding: [10, 20, 0, 0],
        legend: { show: false },
        cursor: { sync: { key: "minutes" }, drag: { x: false, y: false }, y: false },
        scales: { x: { range: () => this.range() }, y: { range: (_, __, most) => [0, Math.max(this.floor, (most ?? 0) * 1.12)] } },
        axes: [
          { ...axis, grid: { show: false }, space: 42, size: 30, incrs: [60, 120, 300], values: (_, found) => found.map(minute) },
          { ...axis, size: 62, space: 36, values: (_, found) => found.map((v) => (v === 0 ? "0" : this.ticks(v))) },
        ],
        series: [{}, ...Object.keys(this.stages).map((id) => ({ stroke: color(id), width: 2, points: { show: false } }))],
        hooks: { setCursor: [() => this.tell()] },
      },
      this.columns,
      this.box,
    );
  }

  resize() {
    const { width, height } = this.size();
    if (this.plot && width && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  size() {
    return { width: Math.floor(this.box.clientWidth), height: Math.floor(this.box.clientHeight) };
  }

  range() {
    const end = this.columns[0].at(-1) ?? Date.now() / 1000;
    return [end - SPAN_S, end];
  }

  tell() {
    const under = this.plot?.cursor.idx;
    const place = under == null || this.plot.cursor.left < 0 ? this.columns[0].length - 1 : under;
    this.values.forEach((node, i) => say(node, this.write(this.columns[i + 1][place])));
  }
}

function legendEntry(list, id, name) {
  const value = el("b");
  list.append(el("li", { "data-stage": id }, name, " ", value));
  return value;
}
