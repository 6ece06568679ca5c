// How values are written. A value that nobody has told is a dash.

export const NONE = "–";
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenth = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const clocks = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const days = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

// The mark of an axis: no more digits than it needs.
// As an axis has room for: 9,500 and 12k.
export const short = (value) => new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: Math.abs(value) < 1e4 ? "standard" : "compact" }).format(value);

export const count = (value) => (value == null ? NONE : whole.format(value));

export function rate(value) {
  if (value == null) return NONE;
  return value === 0 ? "0" : value < 10 ? tenth.format(value) : whole.format(value);
}

export function duration(seconds) {
  if (seconds == null) return NONE;
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 60) return `${(Math.floor(seconds * 100) / 100).toFixed(2)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${String(Math.floor(seconds % 60)).padStart(2, "0")} s`;
  return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} min`;
}

export function money(text, currency = "") {
  if (text == null) return NONE;
  return currency ? `${cents.format(Number(text))} ${currency}` : whole.format(Number(text));
}

export function memory(megabytes) {
  if (!megabytes) return NONE;
  return megabytes < 1000 ? `${whole.format(megabytes)} MB` : `${(megabytes / 1024).toFixed(2)} GB`;
}

export const minute = (epoch) => clock(epoch).slice(0, 5);

export const clock = (epoch) => (epoch == null ? NONE : clocks.format(epoch * 1000));

export function exactClock(epoch) {
  if (epoch == null) return NONE;
  const ms = Math.floor(epoch * 1000);
  return `${clocks.format(ms)}.${String(ms % 1000).padStart(3, "0")}`;
}

// The time alone while it is today's, else with its day.
export function moment(epoch, now = Date.now() / 1000) {
  if (epoch == null) return NONE;
  const [day, today] = [days.format(epoch * 1000), days.format(now * 1000)];
  return day === today ? clock(epoch) : `${day}, ${clock(epoch)}`;
}

export const utc = (epoch) => (epoch == null ? "" : new Date(epoch * 1000).toISOString());
