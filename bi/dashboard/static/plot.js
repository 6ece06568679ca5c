// A chart over a fixed time: lines or bars, one or two value axes, and a legend with the values under the pointer, else the last ones.

import { el, say } from "./nodes.js";

const dark = matchMedia("(prefers-color-scheme: dark)");

export class Plot {
  // lines: {color, name, write, bars, scale, dash}; x: writes a time; steps: distances of marks in seconds; y: {range(most), write, marks} of each axis.
  constructor(figure, { lines, x, steps, y, empty }) {
    Object.assign(this, { lines, x, steps, y, data: null });
    this.box = figure.querySelector(".plot");
    this.told = lines.map((line) => entry(figure.querySelector(".legend"), line));
    this.empty = el("p", { class: "empty", hidden: true }, empty);
    this.box.append(this.empty);
    new ResizeObserver(() => this.fit()).observe(this.box);
    dark.addEventListener("change", () => this.build());
  }

  // `columns`: times in seconds, then the values of each line.
  draw(columns, empty) {
    this.data = columns;
    this.empty.hidden = !empty;
    if (this.plot) this.plot.setData(columns);
    else this.build();
    this.tell();
  }

  build() {
    this.plot?.destroy();
    this.plot = null;
    const size = this.size();
    if (!this.data || !size.width) return;
    const css = getComputedStyle(document.documentElement);
    const color = (name) => css.getPropertyValue(`--${name}`).trim();
    const axis = { stroke: color("muted"), font: `11px ${css.fontFamily}`, ticks: { show: false } };
    const grid = { stroke: color("line"), width: 1 };
    const ranges = this.y.map(({ range }, i) => [scale(i), { range: (_, __, most) => range(most ?? 0) }]);
    const values = this.y.map(({ write, marks }, i) => ({
      ...axis, scale: scale(i), side: i ? 1 : 3, grid: i ? { show: false } : grid, size: 46, space: 36,
      ...(marks && { splits: () => marks }), values: (_, found) => found.map(write),
    }));
    this.plot = new uPlot(
      {
        ...size,
        padding: [10, this.y.length > 1 ? 0 : 16, 0, 0],
        legend: { show: false },
        cursor: { drag: { x: false, y: false }, y: false },
        scales: { x: {}, ...Object.fromEntries(ranges) },
        axes: [{ ...axis, grid: { show: false }, space: 56, size: 30, incrs: this.steps, values: (_, found) => found.map(this.x) }, ...values],
        series: [{}, ...this.lines.map((line) => series(line, color(line.color)))],
        hooks: { setCursor: [() => this.tell()] },
      },
      this.data,
      this.box,
    );
  }

  fit() {
    const { width, height } = this.size();
    if (!this.plot) this.build();
    else if (width && (width !== this.plot.width || height !== this.plot.height)) this.plot.setSize({ width, height });
  }

  size() {
    return { width: Math.floor(this.box.clientWidth), height: Math.floor(this.box.clientHeight) };
  }

  tell() {
    const under = this.plot?.cursor.idx;
    const place = under == null || this.plot.cursor.left < 0 ? this.data[0].length - 1 : under;
    this.told.forEach((node, i) => say(node, this.lines[i].write(this.data[i + 1][place])));
  }
}

const scale = (i) => (i ? "y2" : "y");

function series(line, stroke) {
  const common = { stroke, scale: scale(line.scale), width: 2, spanGaps: true, dash: line.dash, points: { show: false } };
  return line.bars ? { ...common, width: 0, fill: stroke, paths: uPlot.paths.bars({ size: [0.7, 20] }) } : common;
}

function entry(legend, line) {
  const value = el("b", {}, "–");
  legend.append(el("li", { "data-stage": line.color, "data-dash": line.dash ? "" : null }, line.name, " ", value));
  return value;
}
