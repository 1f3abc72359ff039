/* What is said of a frame beside the pointer. */

import { KINDS } from "./colors.js";
import { element } from "./elements.js";
import { change, percent } from "./texts.js";
import { ROOT } from "./tree.js";

export class Detail {
  constructor() {
    this.parts = Object.fromEntries(
      ["name", "count", "self", "place", "kind"].map((name) => [name, element("div", { className: `detail-${name}` })]),
    );
    this.box = element("div", { className: "detail", hidden: true }, ...Object.values(this.parts));
    this.box.setAttribute("role", "status");
  }

  /* Show it for a node beside a point of the window, or hide it. */
  show(profile, node, zoom, x, y) {
    this.box.hidden = node < 0;
    if (node < 0) return;
    for (const [name, text] of Object.entries(described(profile, node, zoom))) this.parts[name].textContent = text;
    const { width, height } = this.box.getBoundingClientRect();
    const left = Math.min(x + 14, innerWidth - width - 8);
    const top = y + 18 + height > innerHeight ? y - height - 12 : y + 18;
    this.box.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
  }
}

export function described(profile, node, zoom) {
  const { tree, functions, kinds, diff } = profile;
  const fn = tree.fn[node];
  const kind = fn < 0 ? "" : KINDS[kinds[functions.kind[fn]]].label;
  return {
    name: fn < 0 ? "all" : functions.name[fn],
    ...(diff ? changes(profile, node) : counts(profile, node, zoom)),
    place: fn < 0 ? "" : placeOf(profile, fn),
    kind: fn >= 0 && functions.inlined[fn] === 1 ? `${kind}, inlined` : kind,
  };
}

export function placeOf({ functions, files, modules }, fn) {
  const file = files[functions.file[fn]];
  const [first, last] = [functions.first[fn], functions.last[fn]];
  const line = first ? (first === last ? `:${first}` : `:${first}-${last}`) : "";
  return [file && file + line, modules[functions.module[fn]]].filter(Boolean).join("  ·  ");
}

function counts({ tree, cost }, node, zoom) {
  const [total, own] = [tree.total[0], tree.own[0]];
  const inZoom = zoom !== ROOT && tree.depth[node] >= tree.depth[zoom];
  const zoomed = inZoom ? `, ${percent(total[node], total[zoom])} of zoom` : "";
  return {
    count: `${percent(total[node], total[ROOT])}  (${cost(total[node])})${zoomed}`,
    self: own[node] ? `self ${percent(own[node], total[ROOT])}  (${cost(own[node])})` : "",
  };
}

function changes({ tree, diff }, node) {
  const total = tree.total.map((column) => column[node]);
  const own = tree.own.map((column) => column[node]);
  const sides = (values) => values.map((value, which) =>
    `${diff.names[which]} ${percent(value, diff.totals[which])}  (${diff.quantity(value)})`);
  const [first, second] = diff.names;
  const fate = !total[0] ? `, no such stack in ${first}` : total[1] ? "" : `, no such stack in ${second}`;
  return {
    count: [...sides(total), change(diff, ...total) + fate].join("\n"),
    self: own[0] || own[1] ? `self ${sides(own).join("  →  ")}: ${change(diff, ...own)}` : "",
  };
}
