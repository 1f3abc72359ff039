/* Functions as a table, and who calls one and whom it calls. */

import { button, element } from "./elements.js";
import { around } from "./reshape.js";
import { rowsOf } from "./shown.js";
import { change, grouped, percent } from "./texts.js";

const MOST = 500;

/* choose: is called with a patch of the choices. */
export function functionTable(profile, choices, choose) {
  const rows = rowsOf(profile);
  const columns = profile.diff ? changeColumns(profile) : costColumns(profile);
  const sort = columns.some(({ key }) => key === choices.sort) ? choices.sort : columns[1].key;
  const by = columns.find(({ key }) => key === sort);
  const ordered = sort === columns[1].key && profile.diff ? rows : [...rows].sort((a, b) => by.order(a, b));
  const head = element("tr", {}, ...columns.map((column) => headOf(column, sort, choose)));
  const body = ordered.slice(0, MOST).map((row) => rowOf(row, columns, choices, choose));
  const table = element("table", { className: "functions" }, element("thead", {}, head), element("tbody", {}, ...body));
  const parts = [table];
  if (rows.length > MOST) {
    parts.push(element("p", { className: "more", textContent: `${MOST} of ${grouped(rows.length)} functions are shown: search for others` }));
  }
  if (!rows.length) parts.push(element("p", { className: "more", textContent: "no function is selected" }));
  return element("div", { className: "function-table" }, ...parts);
}

function headOf({ key, label, isNumber }, sort, choose) {
  const cell = element("th", { scope: "col", className: isNumber ? "number" : "" }, button(label + (key === sort ? " ▼" : ""), () => choose({ sort: key })));
  cell.setAttribute("aria-sort", key === sort ? (isNumber ? "descending" : "ascending") : "none");
  return cell;
}

function rowOf(row, columns, choices, choose) {
  const made = element("tr", { className: row.name === choices.callers ? "chosen" : "" });
  for (const column of columns) {
    const cell = element("td", { className: column.isNumber ? "number" : "", textContent: column.isNumber ? column.text(row) : "" });
    cell.title = column.title?.(row) ?? "";
    if (column.share) {
      cell.classList.add("share");
      cell.style.setProperty("--share", `${Math.round(100 * Math.min(1, column.share(row)))}%`);
    }
    if (column.isNumber && column.isZero(row)) cell.classList.add("zero");
    else if (column.className) cell.classList.add(column.className(row));
    if (column.key === "name") {
      const name = button(row.name, () => choose({ callers: row.name === choices.callers ? "" : row.name }), "callers and callees");
      name.className = "function-name";
      cell.append(name);
    }
    if (column.key === "module") cell.textContent = row.module;
    made.append(cell);
  }
  return made;
}

const byText = (key) => (a, b) => a[key].localeCompare(b[key]);
const NAMES = [{ key: "name", label: "FUNCTION", order: byText("name") }];
const MODULE = { key: "module", label: "MODULE", order: byText("module") };

function costColumns({ tree, cost }) {
  const whole = tree.total[0][0];
  const column = (key, label) => ({
    key, label, isNumber: true, text: (row) => percent(row[key][0], whole), title: (row) => cost(row[key][0]),
    share: (row) => row[key][0] / (whole || 1), isZero: (row) => !row[key][0], order: (a, b) => b[key][0] - a[key][0],
  });
  return [...NAMES, column("self", "SELF"), column("total", "TOTAL"), MODULE];
}

function changeColumns({ diff }) {
  const [first, second] = diff.names;
  const side = (key, which, label) => ({
    key: `${key}${which}`, label, isNumber: true, text: (row) => percent(row[key][which], diff.totals[which]),
    title: (row) => diff.quantity(row[key][which]), isZero: (row) => !row[key][which], order: (a, b) => b[key][which] - a[key][which],
  });
  const changed = (key) => ({
    key: `${key}-change`, label: "CHANGE", isNumber: true, text: (row) => `${arrow(diff, row[key])} ${change(diff, ...row[key])}`,
    order: (a, b) => Math.abs(pointsOf(diff, b[key])) - Math.abs(pointsOf(diff, a[key])),
    isZero: (row) => !pointsOf(diff, row[key]), className: (row) => (pointsOf(diff, row[key]) > 0 ? "grew" : "shrank"),
  });
  return [
    ...NAMES, changed("self"), side("self", 0, `SELF ${first}`), side("self", 1, `SELF ${second}`), changed("total"),
    side("total", 0, `TOTAL ${first}`), side("total", 1, `TOTAL ${second}`), MODULE,
  ];
}

const pointsOf = (diff, [before, after]) => after * (diff.whole[0] || 1) - before * (diff.whole[1] || 1);
const arrow = (diff, pair) => (pointsOf(diff, pair) > 0 ? "▲" : pointsOf(diff, pair) < 0 ? "▼" : " ");

/* Callers and callees of a function, the largest first. */
export function neighbours(profile, name, choose) {
  const { upright: tree, functions, diff, cost } = profile;
  const fn = functions.name.indexOf(name);
  const found = element("section", { className: "neighbours" });
  found.setAttribute("aria-label", `callers and callees of ${name}`);
  const close = button("×", () => choose({ callers: "" }), "close");
  found.append(element("h2", {}, element("code", { textContent: name }), close));
  const actions = element("p", { className: "actions" });
  for (const [text, patch] of actionsOn(name).filter(([, one]) => !one.callers)) actions.append(button(text, () => choose(patch)));
  found.append(actions);
  if (fn < 0) return found;
  const { callers, callees } = around(tree, fn);
  const total = [...callers.values()].reduce((sum, one) => sum.map((value, which) => value + one[which]), tree.total.map(() => 0));
  for (const [title, sums] of [["callers", callers], ["callees", callees]]) {
    const rows = [...sums].sort((a, b) => Math.max(...b[1]) - Math.max(...a[1])).slice(0, 50);
    found.append(element("h3", { textContent: `${title} (${sums.size})` }), listOf(rows));
  }
  return found;

  function listOf(rows) {
    const body = rows.map(([other, values]) => {
      const label = other < 0 ? "(where stacks begin)" : functions.name[other];
      const open = button(label, () => other >= 0 && choose({ callers: label }));
      open.className = "function-name";
      const texts = values.map((value, which) => percent(value, total[which]));
      const cells = texts.map((text, which) => element("td", { className: "number", textContent: text, title: diff ? diff.quantity(values[which]) : cost(values[which]) }));
      return element("tr", {}, ...cells, element("td", {}, open));
    });
    return element("table", {}, element("tbody", {}, ...body));
  }
}

/* What can be done with a function, as patches of the choices; lists are added to. */
export function actionsOn(name) {
  return [
    ["focus", { focus: name, zoom: [], callers: "" }],
    ["hide", { hide: [name] }],
    ["hide stacks through it", { drop: [name] }],
    ["callers and callees", { callers: name }],
    ["search", { search: name }],
  ];
}
