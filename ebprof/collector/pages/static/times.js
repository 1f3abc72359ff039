/* Moments as the API takes them: `now-15m`, RFC 3339, seconds. Here they become seconds since the epoch. */

const UNITS = { s: 1, m: 60, h: 3600, d: 86400, w: 604800 };
export const RANGES = ["5m", "15m", "1h", "3h", "6h", "12h", "1d", "2d", "7d", "30d", "90d"];

export const now = () => Date.now() / 1000;

/* Seconds, or NaN. */
export function seconds(text, at = now()) {
  const relative = /^now(?:-(\d+)([smhdw]))?$/.exec(text.trim());
  if (relative) return at - (relative[1] ? Number(relative[1]) * UNITS[relative[2]] : 0);
  if (/^\d+(\.\d+)?$/.test(text.trim())) return Number(text);
  return Date.parse(text) / 1000;
}

export const isRelative = (text) => text.trim().startsWith("now");

/* RFC 3339 in UTC, to the second: what a link holds. */
export const absolute = (time) => new Date(Math.round(time) * 1000).toISOString().replace(".000Z", "Z");

/* The range of a state as [from, to] in seconds. */
export function rangeOf({ from, to }, at = now()) {
  return [seconds(from, at), seconds(to, at)];
}

/* `15m`, or the two moments. */
export function rangeText({ from, to }) {
  const relative = /^now-(\d+[smhdw])$/.exec(from);
  if (relative && to === "now") return relative[1];
  return `${momentText(seconds(from))} to ${momentText(seconds(to))}`;
}

export const two = (number) => String(number).padStart(2, "0");

/* A moment in the viewer's zone; the day only where it is another one. */
export function momentText(time, hasSeconds = false) {
  if (Number.isNaN(time)) return "?";
  const at = new Date(time * 1000);
  const isToday = at.toDateString() === new Date().toDateString();
  const day = isToday ? "" : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} `;
  const clock = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return day + clock + (hasSeconds ? `:${two(at.getSeconds())}` : "");
}

/* `15 min`, `1 h`: a length in seconds by its largest unit. */
export function lengthText(length) {
  for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
    if (length >= 0.99 * size) return `${Number((length / size).toFixed(1))} ${unit}`;
  }
  return `${Math.round(length)} s`;
}

export const utcText = (time) => `${absolute(time).replace("T", " ").replace("Z", "")} UTC`;

/* The range moved by a share of its length; as a patch of the state. */
export function moved(state, share) {
  const [from, to] = rangeOf(state);
  const by = (to - from) * share;
  return fixed(from + by, to + by);
}

/* The range made longer or shorter: of those that end now, the next one. */
export function zoomed(state, factor) {
  const [from, to] = rangeOf(state);
  if (state.to === "now" && isRelative(state.from)) {
    const known = RANGES.map((text) => ({ text, length: UNITS[text.slice(-1)] * parseInt(text, 10) }));
    const [others, end] = factor > 1
      ? [known.filter((one) => one.length > 1.01 * (to - from)), 0]
      : [known.filter((one) => one.length < 0.99 * (to - from)), -1];
    const next = others.at(end);
    return next ? { from: `now-${next.text}`, to: "now" } : {};
  }
  const middle = (from + to) / 2;
  const half = Math.max(5, ((to - from) * factor) / 2);
  return fixed(middle - half, middle + half);
}

/* What was dragged is absolute: a link to it shows the same tomorrow. */
export function fixed(from, to) {
  return { from: absolute(from), to: absolute(Math.min(to, now())), live: "" };
}

/* A step for timelines of this many seconds: of whole windows of 10 s, as others would have one and two by turns. */
export function stepOf(length) {
  const steps = [10, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
  return steps.find((step) => length / step <= 120) ?? 86400;
}

export function durationText(length) {
  for (const unit of ["w", "d", "h", "m"]) {
    if (length >= UNITS[unit] && length % UNITS[unit] < 1) return `${Math.round(length / UNITS[unit])}${unit}`;
  }
  if (length < 60) return `${Math.round(length)}s`;
  return length < 7200 ? `${Math.round(length / 60)}m` : `${(length / 3600).toPrecision(3)}h`;
}
