/* What is shown of a profile: a pure function of the profile and of the choices that were made.
 *
 * A profile has `tree`, `functions` (columns name, module, kind, inlined, file, first, last), `modules`, `files`,
 * `kinds`, `cost` (a value in words), `diff` (null, or whole, isAbsolute, quantity, names, steps, shades).
 */

import { byFunction, onlyMatching, reshape, upsideDown } from "./reshape.js";
import { isListed, matcherOf, points } from "./texts.js";
import { Layout, ROOT } from "./tree.js";

export const CHOICES = {
  view: "flame", icicle: false, search: "", hide: [], drop: [], focus: "", merge: false, only: false,
  callers: "", widths: "both", zoom: [], sort: "", fate: "all",
};
export const FATES = ["new", "grown", "shrunk", "gone", "all"];
const NOTABLE = 0.1; // percentage points of all
export const VIEWS = { flame: "flame", up: "bottom-up", table: "table", modules: "modules", files: "files" };

/* Views in which something else stands for a function: its name by the function's number. */
const STANDING = {
  modules: ({ functions, modules }, fn) => modules[functions.module[fn]],
  files: ({ functions, files }, fn) => files[functions.file[fn]],
};

/* The profile with its tree as chosen, `matches` by function (null without a search), and what is wrong. */
export function chosen(profile, choices) {
  const standing = STANDING[choices.view];
  const base = standing ? grouped(profile, standing) : profile;
  const matcher = choices.search ? matcherOf(choices.search) : null;
  let tree = reshaped(profile, base, choices);
  const matches = matchesOf(base, tree, matcher, choices.fate);
  const size = base.functions.name.length;
  if (choices.only && matches) tree = onlyMatching(tree, size, matches);
  const upright = tree;
  if (choices.view === "up") tree = upsideDown(tree, size);
  return { ...base, tree, upright, matches, isBroken: Boolean(choices.search) && !matcher };
}

/* Functions that are searched for, and that have the fate that is asked for; null where neither is. */
function matchesOf({ functions, diff }, tree, matcher, fate) {
  const isFated = diff && fate !== "all" ? fatesOf(diff, tree, functions).map((one) => one.includes(fate)) : null;
  if (!matcher && !isFated) return null;
  return Uint8Array.from(functions.name, (name, fn) =>
    ((!matcher || matcher(name)) && (!isFated || isFated[fn]) ? 1 : 0));
}

/* What became of each function: new, gone, grown, shrunk, by its self share, or nothing to speak of. */
export function fatesOf(diff, tree, functions) {
  const { self, total } = byFunction(tree, functions.name.length);
  return functions.name.map((_, fn) => {
    const [before, after] = total.map((column) => column[fn]);
    const change = points(diff, self[0][fn], self[1][fn]);
    const found = [];
    if (!before && after && Math.abs(points(diff, before, after)) >= NOTABLE) found.push("new");
    if (before && !after && Math.abs(points(diff, before, after)) >= NOTABLE) found.push("gone");
    if (change >= NOTABLE) found.push("grown");
    if (change <= -NOTABLE) found.push("shrunk");
    return found;
  });
}

function reshaped(profile, base, { hide, drop, focus, merge }) {
  const isChosen = hide.length || drop.length || focus || merge || base.of;
  if (!isChosen) return profile.tree;
  const numbers = (list) => {
    const isOne = isListed(list);
    return new Set(profile.functions.name.flatMap((name, fn) => (list.length && isOne(name) ? [fn] : [])));
  };
  const sets = { hide: numbers(hide), drop: numbers(drop), focus: numbers(focus ? [focus] : []) };
  return reshape(profile.tree, Math.max(profile.functions.name.length, base.functions.name.length), { ...sets, merge, of: base.of });
}

/* The same with others for functions: `of` says which one each function is in. Where that is not known it is
 * the module, or the function itself.
 */
function grouped(profile, standing) {
  const { functions } = profile;
  const nameOf = (fn) => standing(profile, fn) || STANDING.modules(profile, fn) || functions.name[fn];
  const names = [...new Set(functions.name.map((_, fn) => nameOf(fn)))].sort();
  const numbers = new Map(names.map((name, number) => [name, number]));
  const of = functions.name.map((_, fn) => numbers.get(nameOf(fn)));
  const kind = names.map(() => -1);
  of.forEach((number, fn) => { if (kind[number] < 0) kind[number] = functions.kind[fn]; });
  const zeros = names.map(() => 0);
  const files = ["", ...profile.files];
  return { ...profile, of, files, functions: { name: names, module: zeros, kind, inlined: zeros, file: zeros, first: zeros, last: zeros }, modules: [""] };
}

/* How wide each node is: what it has, or of a comparison one side's, or both sides' share. */
export function layoutOf({ tree, diff }, widths) {
  if (!diff) return new Layout(tree, tree.total[0]);
  const [a, b] = tree.total;
  if (widths === "A") return new Layout(tree, a);
  if (widths === "B") return new Layout(tree, b);
  const [first, second] = diff.whole.map((whole) => whole || 1);
  return new Layout(tree, a.map((value, node) => value / first + b[node] / second));
}

/* Rows of functions, the largest first: {fn, name, module, self: columns, total: columns, change}. */
export function rowsOf({ tree, functions, modules, diff, matches }) {
  const { self, total } = byFunction(tree, functions.name.length);
  const rows = [];
  for (let fn = 0; fn < functions.name.length; fn++) {
    if (!total.some((column) => column[fn]) || (matches && !matches[fn])) continue;
    const columns = { self: self.map((one) => one[fn]), total: total.map((one) => one[fn]) };
    const change = diff ? points(diff, ...columns.self) : 0;
    rows.push({ fn, name: functions.name[fn], module: modules[functions.module[fn]], ...columns, change });
  }
  const by = diff ? (row) => Math.abs(row.change) : (row) => row.self[0];
  return rows.sort((a, b) => by(b) - by(a) || b.total[0] - a.total[0]);
}

/* What below a node passes through a match, each stack once. */
export function matchedBelow({ tree, matches }, layout, zoom) {
  const isIn = new Uint8Array(tree.size);
  let sum = 0;
  for (let node = zoom; node < tree.size; node++) {
    const above = tree.parent[node];
    const isCovered = node !== zoom && above >= zoom && isIn[above] === 2;
    if (node !== zoom && !(above >= zoom && isIn[above])) continue;
    const isMatch = node !== ROOT && matches[tree.fn[node]] === 1;
    isIn[node] = isCovered || isMatch ? 2 : 1;
    if (isMatch && !isCovered) sum += layout.count[node];
  }
  return sum;
}

/* The node at a path of names, as far as there is one. */
export function nodeOf({ tree, functions }, path) {
  let node = ROOT;
  for (const name of path) {
    let next = -1;
    for (let at = node + 1; at < tree.size && next < 0; at++) {
      if (tree.parent[at] === node && functions.name[tree.fn[at]] === name) next = at;
    }
    if (next < 0) return node;
    node = next;
  }
  return node;
}

export function pathOf({ tree, functions }, node) {
  const path = [];
  for (let at = node; at > ROOT; at = tree.parent[at]) path.push(functions.name[tree.fn[at]]);
  return path.reverse();
}
