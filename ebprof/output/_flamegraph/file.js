/* The page in one file that `ebprof flame` and `ebprof diff` write: a header, and the graph of what is in #data. */

import { element } from "./elements.js";
import { CHOICES, Graph } from "./graph.js";
import { loadOf } from "./load.js";
import { amount, duration, grouped, measured, percent } from "./texts.js";
import { fromBranches } from "./tree.js";

const byId = (id) => document.getElementById(id);

/* Samples, and as time where a sample stands for time; or a value. */
const costOf = ({ measure, period, unit }) => (count) => {
  if (measure) return measured(count, measure);
  if (!period || unit !== "nanoseconds") return amount(count, "sample");
  return `${amount(count, "sample")}, ${duration(count * period)}`;
};

function quantityOf({ measure, unit }) {
  return (number) => {
    if (measure) return measured(number, measure);
    if (unit === "nanoseconds") return duration(number);
    return unit === "samples" ? amount(number, "sample") : `${grouped(number)} ${unit}`;
  };
}

function profileOf(data) {
  const { functions, modules, files, kinds, diff } = data;
  const tree = fromBranches(data, diff ? [diff.a, diff.b] : [data.count]);
  const compared = diff && {
    whole: diff.whole, totals: tree.total.map((column) => column[0]), isAbsolute: diff.is_absolute, names: ["A", "B"],
    quantity: quantityOf(diff), steps: diff.steps, shades: diff.shades,
  };
  return { tree, functions, modules, files, kinds, diff: compared ?? null, cost: costOf(data) };
}

function summaryOf(data) {
  if (data.diff) return data.diff.runs.join("\n");
  if (!data.total && !data.measure) return "No samples were taken.";
  const parts = [costOf(data)(data.total)];
  if (data.duration_ns) parts.push(`over ${duration(data.duration_ns)}`);
  const period = data.measure ? 0 : data.period;
  if (period && data.unit === "nanoseconds") parts.push(`one each ${duration(period)}`);
  if (period > 1 && data.unit === "count") parts.push(`one each ${amount(period, "event")}`);
  if (data.time_ns) parts.push(new Date(data.time_ns / 1e6).toLocaleString());
  return parts.join("  ·  ");
}

function showHeader(data) {
  byId("title").textContent = data.title;
  byId("summary").textContent = summaryOf(data);
  byId("summary").classList.toggle("runs", Boolean(data.diff));
  byId("comments").textContent = data.comments.join("  ·  ");
  const cost = costOf(data);
  if (data.load) byId("load").append(...loadOf(data.load, data.measure ? cost : (count) => amount(count, "sample")));
  byId("stops").append(...data.stops.map(({ reason, count, is_whole: isWhole }) =>
    element("li", { textContent: `${reason} ${percent(count, data.total)}`, className: isWhole ? "" : "incomplete", title: cost(count) })));
}

function toggleHelp() {
  const help = byId("help");
  if (help.open) help.close();
  else help.showModal();
  byId("help-button").setAttribute("aria-expanded", String(help.open));
}

/* Keys that are the page's and not the graph's. */
function onKey(event, graph) {
  const isFind = event.key === "f" && (event.ctrlKey || event.metaKey);
  const search = byId("search");
  if (isFind || (event.key === "/" && event.target !== search)) {
    event.preventDefault();
    search.select();
  } else if (event.key === "?" && event.target !== search) {
    event.preventDefault();
    toggleHelp();
  } else if (event.target === search && event.key === "Enter") {
    event.preventDefault();
    graph.chart.canvas.focus();
    graph.chart.selectMatch(1);
  } else if (event.target === search && event.key === "Escape") {
    event.preventDefault();
    graph.escape();
  }
}

function start() {
  const data = JSON.parse(byId("data").textContent);
  const profile = profileOf(data);
  let choices = { ...CHOICES, widths: data.diff?.widths ?? "A" };
  const search = byId("search");
  const graph = new Graph(choose);
  function choose(patch) {
    choices = { ...choices, ...patch };
    if ("search" in patch) search.value = patch.search;
    graph.show(profile, choices);
    search.setAttribute("aria-invalid", String(graph.shown.isBroken));
  }
  showHeader(data);
  byId("main").append(graph.element);
  search.addEventListener("input", () => {
    choices = { ...choices, search: search.value.trim() };
    graph.show(profile, choices);
    search.setAttribute("aria-invalid", String(graph.shown.isBroken));
  });
  byId("help-button").addEventListener("click", toggleHelp);
  document.addEventListener("keydown", (event) => onKey(event, graph));
  graph.show(profile, choices);
}

start();
