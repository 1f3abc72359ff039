/* Answers of the API as profiles that the graph draws. */

import { amount } from "./numbers.js";
import { ordered } from "./flamegraph/tree.js";

const functionsOf = (answer) => ({ ...answer.functions, inlined: answer.functions.name.map(() => 0) });

/* Of `profiles/flamegraph?format=columns`. */
export function profileOf(answer) {
  const { kinds, modules, files, unit } = answer;
  const tree = ordered(answer.parent, answer.function, [answer.self]);
  return { tree, functions: functionsOf(answer), kinds, modules, files, diff: null, cost: (value) => amount(value, unit) };
}

const SHADES = {
  steps: [0.2, 1, 3, 10],
  shades: {
    light: { same: ["#e7e6e0"], grew: ["#fbdcd3", "#f5b5a8", "#ef8d7b", "#e7664f"], shrank: ["#d7e5f6", "#adceee", "#81b1e6", "#5493dc"] },
    dark: { same: ["#34373c"], grew: ["#4a2d2a", "#6d2f28", "#973223", "#c2361d"], shrank: ["#25374b", "#22476f", "#1f5796", "#1a67bf"] },
  },
};

/* Of `profiles/diff`: shares of each side's total, or values a second and node. */
export function comparisonOf(answer, isAbsolute) {
  const { kinds, modules, files, unit, left, right } = answer;
  const per = [left, right].map((side) => ((Date.parse(side.to) - Date.parse(side.from)) / 1000) * side.nodes);
  const own = [answer.left_self, answer.right_self].map((column, which) =>
    (isAbsolute ? column.map((value) => value / per[which]) : column));
  const tree = ordered(answer.parent, answer.function, own);
  const totals = tree.total.map((column) => column[0]);
  const largest = Math.max(...totals);
  const quantity = (value) => (isAbsolute ? `${amount(value, unit)} a second and node` : amount(value, unit));
  const diff = { names: ["left", "right"], whole: isAbsolute ? [largest, largest] : totals, totals, isAbsolute, quantity, ...SHADES };
  return { tree, functions: functionsOf(answer), kinds, modules, files, diff, cost: quantity };
}
