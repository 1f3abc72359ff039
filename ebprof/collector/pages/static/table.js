/* A table to sort; of many rows the first ones are shown, and how many there are. */

import { grouped } from "./flamegraph/texts.js";
import { html, useState } from "./html.js";

const MOST = 400;

/* columns: [{key, label, title, isNumber, value(row), cell(row), hover(row), share(row)}]; `value` sorts.
 * sort: a key, with "-" before it for the other direction; onSort is called with the new one.
 */
export function Table({ columns, rows, sort, onSort, keyOf, caption, classOf = () => "" }) {
  const [isAll, setAll] = useState(false);
  const ordered = sortedBy(columns, rows, sort);
  const shown = isAll ? ordered : ordered.slice(0, MOST);
  return html`<div class="scroll"><table>
    <caption class="hidden">${caption}</caption>
    <thead><tr>${columns.map((one) => html`<${Head} key=${one.key} column=${one} sort=${sort} onSort=${onSort} />`)}</tr></thead>
    <tbody onKeyDown=${onArrow}>
      ${shown.map((row) => html`<tr key=${keyOf(row)} class=${classOf(row)}>${columns.map((one) => cellOf(one, row))}</tr>`)}
    </tbody></table>
    ${shown.length < rows.length && html`<p class="more">${shown.length} of ${grouped(rows.length)} rows are shown:
      search, select less, or <button type="button" onClick=${() => setAll(true)}>show all</button></p>`}
  </div>`;
}

function Head({ column, sort, onSort }) {
  const isUp = sort === `-${column.key}`;
  const isSorted = isUp || sort === column.key;
  const isRising = isSorted && isUp !== !column.isNumber;
  const direction = isSorted ? (isRising ? "ascending" : "descending") : "none";
  const className = [column.isNumber && "number", column.className].filter(Boolean).join(" ");
  if (!column.value) return html`<th scope="col" class=${className}>${column.label}</th>`;
  const next = isSorted && !isUp ? `-${column.key}` : column.key;
  return html`<th scope="col" class=${className} aria-sort=${direction}>
    <button type="button" title=${column.title} onClick=${() => onSort(next)}>
      ${column.label}${isSorted ? (isRising ? " ▲" : " ▼") : ""}</button></th>`;
}

function cellOf(column, row) {
  const share = column.share?.(row);
  const value = column.value?.(row);
  const names = [column.isNumber && "number", column.className, share !== undefined && "share", value === 0 && "zero"];
  const style = share === undefined ? undefined : { "--share": `${Math.round(100 * Math.min(1, share))}%` };
  const inner = value === null ? html`<span class="none">–</span>` : column.cell(row);
  return html`<td key=${column.key} class=${names.filter(Boolean).join(" ")} style=${style} title=${column.hover?.(row)}>${inner}</td>`;
}

/* Numbers begin with the largest, texts with the first. */
export function sortedBy(columns, rows, sort) {
  const column = columns.find((one) => one.key === sort.replace(/^-/, ""));
  if (!column?.value) return rows;
  const sign = (sort.startsWith("-") ? -1 : 1) * (column.isNumber ? -1 : 1);
  const compare = column.isNumber
    ? (a, b) => (column.value(a) ?? -1) - (column.value(b) ?? -1)
    : (a, b) => String(column.value(a)).localeCompare(String(column.value(b)));
  return [...rows].sort((a, b) => sign * compare(a, b));
}

/* Arrows go from row to row by their first link or button. */
function onArrow(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const rows = [...event.currentTarget.rows];
  const at = rows.indexOf(event.target.closest("tr"));
  const next = rows[at + step]?.querySelector("a, button");
  if (!next) return;
  event.preventDefault();
  next.focus();
}
