/* Call trees made of others: without some functions, from some on, upside down, by module. */

import { ordered, ROOT } from "./tree.js";

const LEAST = 1 / 5_000;
const GONE = -1;
const ABOVE = -2;

/* Collects nodes, of which there is one for each function below a parent. */
class Builder {
  constructor(functions, columns) {
    this.functions = functions;
    this.parent = [-1];
    this.fn = [-1];
    this.own = Array.from({ length: columns }, () => [0]);
    this.known = new Map();
  }

  child(parent, fn) {
    const key = parent * this.functions + fn;
    let node = this.known.get(key);
    if (node === undefined) {
      node = this.parent.push(parent) - 1;
      this.fn.push(fn);
      for (const column of this.own) column.push(0);
      this.known.set(key, node);
    }
    return node;
  }

  add(node, columns, from) {
    columns.forEach((column, which) => { this.own[which][node] += column[from]; });
  }

  finish() {
    return ordered(this.parent, this.fn, this.own);
  }
}

/* hide, drop, focus: sets of functions. Those hidden become a part of their callers; stacks through those
 * dropped are left out; focus, if not empty, is where stacks begin. merge: calls of a function by itself are
 * one. of: the function that stands for each.
 */
export function reshape(tree, functions, { hide, drop, focus, merge, of }) {
  const builder = new Builder(functions, tree.own.length);
  const into = new Int32Array(tree.size);
  into[ROOT] = focus.size ? ABOVE : ROOT;
  for (let node = 0; node < tree.size; node++) {
    if (node !== ROOT) into[node] = placeOf(node);
    if (into[node] >= 0) builder.add(into[node], tree.own, node);
  }
  return builder.finish();

  function placeOf(node) {
    const fn = tree.fn[node];
    let above = into[tree.parent[node]];
    if (above === GONE || drop.has(fn)) return GONE;
    if (above === ABOVE) {
      if (!focus.has(fn)) return ABOVE;
      above = ROOT;
    }
    const stands = of ? of[fn] : fn;
    if (hide.has(fn) || ((merge || of) && builder.fn[above] === stands)) return above;
    return builder.child(above, stands);
  }
}

/* Callers above callees: the root's children are the functions in which stacks end. Those that have less than
 * LEAST of all are shown without their callers: they are narrower than a pixel, and there are very many.
 */
export function upsideDown(tree, functions) {
  const builder = new Builder(functions, tree.own.length);
  const wholes = tree.total.map((column) => column[ROOT] || 1);
  const isLarge = (ends) => tree.own.some((column, which) =>
    ends.reduce((sum, end) => sum + column[end], 0) >= LEAST * wholes[which]);
  builder.add(ROOT, tree.own, ROOT);
  const all = [];
  for (let node = 1; node < tree.size; node++) if (tree.own.some((column) => column[node])) all.push(node);
  // Each group has the nodes where stacks end, and of each the caller that is next.
  const groups = [{ into: ROOT, ends: all, at: all }];
  while (groups.length) {
    const { into, ends, at } = groups.pop();
    for (const [fn, group] of grouped(ends, at)) {
      const node = builder.child(into, fn);
      const callers = { into: node, ends: [], at: [] };
      const isOpen = isLarge(group.ends);
      group.ends.forEach((end, place) => {
        const above = tree.parent[group.at[place]];
        if (!isOpen || above === ROOT) {
          builder.add(node, tree.own, end);
        } else {
          callers.ends.push(end);
          callers.at.push(above);
        }
      });
      if (callers.ends.length) groups.push(callers);
    }
  }
  return builder.finish();

  function grouped(ends, at) {
    const found = new Map();
    at.forEach((node, place) => {
      const fn = tree.fn[node];
      if (!found.has(fn)) found.set(fn, { ends: [], at: [] });
      found.get(fn).ends.push(ends[place]);
      found.get(fn).at.push(node);
    });
    return found;
  }
}

/* Only the stacks that pass through a function with a match. */
export function onlyMatching(tree, functions, matches) {
  const builder = new Builder(functions, tree.own.length);
  const isMatched = new Uint8Array(tree.size);
  const into = new Int32Array(tree.size).fill(-1);
  into[ROOT] = ROOT;
  for (let node = 1; node < tree.size; node++) {
    isMatched[node] = isMatched[tree.parent[node]] || matches[tree.fn[node]];
    if (!isMatched[node] || !tree.own.some((column) => column[node])) continue;
    builder.add(placeOf(node), tree.own, node);
  }
  return builder.finish();

  function placeOf(node) {
    const missing = [];
    let at = node;
    for (; into[at] < 0; at = tree.parent[at]) missing.push(at);
    for (let last = into[at]; missing.length;) {
      const next = missing.pop();
      last = into[next] = builder.child(last, tree.fn[next]);
    }
    return into[node];
  }
}

/* Functions by number with self and total: columns of each. A function that calls itself counts once. */
export function byFunction(tree, functions) {
  const self = tree.own.map(() => new Float64Array(functions));
  const total = tree.own.map(() => new Float64Array(functions));
  for (let node = 1; node < tree.size; node++) {
    const fn = tree.fn[node];
    const isOutermost = !hasAbove(tree, node, fn);
    for (let which = 0; which < self.length; which++) {
      self[which][fn] += tree.own[which][node];
      if (isOutermost) total[which][fn] += tree.total[which][node];
    }
  }
  return { self, total };
}

function hasAbove(tree, node, fn) {
  for (let at = tree.parent[node]; at > ROOT; at = tree.parent[at]) if (tree.fn[at] === fn) return true;
  return false;
}

/* Who calls a function and whom it calls: Maps from functions (-1: nobody) to columns. */
export function around(tree, fn) {
  const callers = new Map();
  const callees = new Map();
  for (let node = 1; node < tree.size; node++) {
    const above = tree.parent[node];
    if (tree.fn[node] === fn && !hasAbove(tree, node, fn)) add(callers, tree.fn[above], node);
    if (tree.fn[node] !== fn && above !== ROOT && tree.fn[above] === fn) add(callees, tree.fn[node], node);
  }
  return { callers, callees };

  function add(into, key, node) {
    const sums = into.get(key) ?? tree.total.map(() => 0);
    into.set(key, sums.map((sum, which) => sum + tree.total[which][node]));
  }
}
