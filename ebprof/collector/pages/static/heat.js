/* A heat map to pick a moment from: columns are minutes (or hours), cells their parts. */

import { html } from "./html.js";
import { rate } from "./numbers.js";
import { fixed, momentText } from "./times.js";

/* How a range of this many seconds is cut: [column, cell] in seconds. */
export function cutOf(length) {
  if (length <= 2 * 3600) return [60, 10];
  if (length <= 12 * 3600) return [600, 60];
  return length <= 2 * 86400 ? [3600, 600] : [86400, 3600];
}

/* found: series without a label, by steps of a cell. */
export function Heat({ found, column, unit, onRange }) {
  const { step, rows } = found;
  const points = rows[0]?.points ?? [];
  const most = Math.max(1, ...points.map(([, value]) => value));
  const [start, end] = [found.from, found.to].map((one) => Date.parse(one) / 1000);
  const first = Math.floor(start / column) * column;
  const cells = column / step;
  const pick = (time) => onRange(fixed(time, time + step));
  return html`<svg class="heat" viewBox=${`${(start - first) / column} 0 ${(end - start) / column} ${cells}`} preserveAspectRatio="none" role="img"
    aria-label="heat map: a click picks a moment">
    ${points.map(([time, value]) => html`<rect key=${time} x=${Math.floor((time - first) / column)} y=${Math.floor(((time - first) % column) / step)}
      width="0.94" height="0.9" fill-opacity=${(0.06 + (0.94 * value) / most).toFixed(2)} onClick=${() => pick(time)}>
      <title>${`${momentText(time, true)}: ${rate(value, unit, step)}`}</title></rect>`)}</svg>`;
}
