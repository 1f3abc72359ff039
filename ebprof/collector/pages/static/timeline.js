/* Totals over time, stacked by a label; dragging selects a range, and what is missing is hatched. */

import uPlot from "./vendor/uplot.js";
import { html, useEffect, useRef } from "./html.js";
import { rate } from "./numbers.js";
import { fixed, momentText, two } from "./times.js";

const HEIGHT = 110;
const COLORS = { light: ["#d9822b", "#4f81bd", "#5aa469", "#a569bd", "#c0504d", "#7f7f3f", "#3a9ca6"], dark: ["#b36a1e", "#5b8fd0", "#5fae70", "#b07cc8", "#cf6a66", "#a0a050", "#4cb0ba"] };
const REST = "#8f8f8f";
const MOST = 7;
const isDark = () => matchMedia("(prefers-color-scheme: dark)").matches;
export const colorsNow = () => COLORS[isDark() ? "dark" : "light"];

/* Series as columns on the same steps, the largest first and the rest as one: {times, names, values}. wanted: a
 * step that is no shorter than that of the series.
 */
export function aligned({ from, to, step: given, rows }, by, wanted = given) {
  const step = Math.max(given, wanted);
  const first = Math.floor(Date.parse(from) / 1000 / step) * step;
  const count = Math.max(1, Math.ceil((Date.parse(to) / 1000 - first) / step));
  const times = Array.from({ length: count }, (_, at) => first + at * step);
  const series = rows.map(({ labels, points }) => {
    const values = new Array(count).fill(0);
    for (const [time, value] of points) {
      const at = Math.floor((time - first) / step);
      if (at >= 0 && at < count) values[at] += value;
    }
    return { name: by ? labels[by] || "(none)" : "all", values, sum: values.reduce((sum, one) => sum + one, 0) };
  });
  series.sort((a, b) => b.sum - a.sum);
  const shown = series.slice(0, MOST);
  const others = series.slice(MOST);
  if (others.length) {
    const values = times.map((_, at) => others.reduce((sum, one) => sum + one.values[at], 0));
    shown.push({ name: `${others.length} others`, values, isRest: true });
  }
  return { times, step, names: shown.map((one) => one.name), values: shown.map((one) => one.values), isRest: shown.map((one) => Boolean(one.isRest)) };
}

/* found: of `aligned`; gaps: [[from, to, text]] in seconds; onRange: is called with a patch of the state. */
export function Timeline({ found, unit, gaps, onRange, label }) {
  const place = useRef(null);
  useEffect(() => {
    const element = place.current;
    const plot = draw(element, found, unit, gaps, onRange);
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      plot.destroy();
    };
  }, [found, unit, JSON.stringify(gaps)]);
  const colors = colorsNow();
  return html`<div class="timeline"><div ref=${place} role="img" aria-label=${label}></div>
    ${found.names.length > 1 && html`<ul class="keys">${found.names.map((name, at) => html`<li key=${name}>
      <svg viewBox="0 0 10 10" aria-hidden="true"><rect width="10" height="10" fill=${found.isRest[at] ? REST : colors[at]} /></svg>${name}</li>`)}</ul>`}
  </div>`;
}

function draw(element, found, unit, gaps, onRange) {
  const { times, step, values, names, isRest } = found;
  const colors = colorsNow();
  const style = getComputedStyle(document.documentElement);
  const stacked = stack(values);
  const axis = { stroke: style.getPropertyValue("--muted"), grid: { stroke: style.getPropertyValue("--line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
  const perSecond = (value) => rate(value, unit, step);
  const options = {
    width: element.clientWidth, height: HEIGHT, legend: { show: false }, padding: [6, 22, 0, 0],
    cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false }, y: false },
    scales: { x: { range: () => [times[0], times[times.length - 1] + step] }, y: { range: (_, __, most) => [0, most || 1] } },
    axes: [{ ...axis, size: 24, values: (_, ticks) => ticks.map((one, at) => tickText(one, ticks[at - 1])) }, { ...axis, size: 74, values: (_, ticks) => ticks.map((one) => (one ? perSecond(one) : "0")) }],
    series: [{}, ...names.map((name, at) => {
      const color = isRest[at] ? REST : colors[at];
      return { label: name, stroke: color, fill: `${color}cc`, width: 1, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) };
    }).reverse()],
    hooks: {
      draw: [(plot) => hatch(plot, gaps, style.getPropertyValue("--muted"))],
      setSelect: [(plot) => selected(plot, onRange)],
      setCursor: [(plot) => { element.title = hovered(plot, found, perSecond, gaps); }],
    },
  };
  return new uPlot(options, [times, ...stacked.reverse()], element);
}

/* The time of day, and the day where it is another one than at the tick before. */
function tickText(time, last) {
  const at = new Date(time * 1000);
  const isNewDay = last !== undefined && new Date(last * 1000).getDate() !== at.getDate();
  if (isNewDay) return `${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const seconds = last !== undefined && time - last < 60 ? `:${two(at.getSeconds())}` : "";
  return `${two(at.getHours())}:${two(at.getMinutes())}${seconds}`;
}

/* Each series on top of those before it. */
function stack(values) {
  const sums = new Array(values[0]?.length ?? 0).fill(0);
  return values.map((column) => column.map((value, at) => (sums[at] += value)));
}

function selected(plot, onRange) {
  const { left, width } = plot.select;
  if (width < 4) return;
  const [from, to] = [plot.posToVal(left, "x"), plot.posToVal(left + width, "x")];
  plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  onRange(fixed(from, Math.max(to, from + 1)));
}

function hovered(plot, { times, names, values }, perSecond, gaps) {
  const time = plot.posToVal(plot.cursor.left, "x");
  const at = times.findLastIndex((one) => one <= time);
  if (at < 0) return "";
  const lines = names.map((name, which) => `${name}: ${perSecond(values[which][at])}`);
  const missing = gaps.filter(([from, to]) => time >= from && time < to).map(([, , text]) => text);
  return [momentText(times[at], true), ...lines, ...missing].join("\n");
}

function hatch(plot, gaps, color) {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  for (const [from, to] of gaps) {
    const [left, right] = [from, to].map((time) => Math.min(bbox.left + bbox.width, Math.max(bbox.left, plot.valToPos(time, "x", true))));
    ctx.rect(left, bbox.top, right - left, bbox.height);
  }
  ctx.clip();
  ctx.strokeStyle = color;
  ctx.globalAlpha = 0.6;
  ctx.beginPath();
  for (let x = bbox.left - bbox.height; gaps.length && x < bbox.left + bbox.width; x += 6) {
    ctx.moveTo(x, bbox.top + bbox.height);
    ctx.lineTo(x + bbox.height, bbox.top);
  }
  ctx.stroke();
  ctx.restore();
}
