/* Paints the visible rows of a call tree on a canvas. Names reach it as text (fillText). */

import { colorOf, cssColor, matchColor, shade } from "./colors.js";
import { points } from "./texts.js";
import { ROOT } from "./tree.js";

export const ROW = 20; // pixels, gap included
export const GAP = 1;
export const PADDING = 4;
const SLIVER = 0.7; // boxes narrower than this are slivers, which share pixels
const SHORTEST_LABEL = 3; // characters

/* Colours of a profile's functions, and of what stands for others; made anew with the theme. */
export function brushOf(profile) {
  const { functions, kinds } = profile;
  return {
    text: cssColor("--text"),
    accent: cssColor("--accent"),
    match: matchColor(),
    root: colorOf("process", "all", true),
    kinds: kinds.map((kind) => colorOf(kind, "main")),
    functions: functions.name.map((name, fn) => colorOf(kinds[functions.kind[fn]], name, functions.inlined[fn] === 1)),
  };
}

export class Painter {
  constructor(context, profile, layout, view) {
    this.context = context;
    this.profile = profile;
    this.layout = layout;
    this.view = view; // start, count, width, height, scroll, font, characterWidth, zoom, rowTop(depth), brush
  }

  paint(depths, marks) {
    const { context, view } = this;
    const scale = devicePixelRatio || 1;
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, view.width, view.height);
    context.textBaseline = "middle";
    for (const depth of depths) this.paintLevel(depth);
    for (const [node, thickness, color] of marks) this.paintOutline(node, thickness, color);
  }

  toX(position) {
    return ((position - this.view.start) / this.view.count) * this.view.width;
  }

  /* The visible part of a node's box, in pixels of the canvas. */
  boxOf(node) {
    const left = Math.max(0, this.toX(this.layout.start[node]));
    const right = Math.min(this.view.width, this.toX(this.layout.endOf(node)));
    return { left, width: right - left, top: this.view.rowTop(this.profile.tree.depth[node]) };
  }

  paintLevel(depth) {
    const { layout, view } = this;
    const level = layout.levels[depth];
    const top = view.rowTop(depth);
    const limit = view.start + view.count;
    let run = null;
    for (let at = layout.firstEndingAfter(level, view.start); at < level.length; at++) {
      const node = level[at];
      if (layout.start[node] >= limit) break;
      const left = Math.max(0, this.toX(layout.start[node]));
      const width = Math.min(view.width, this.toX(layout.endOf(node))) - left;
      if (width >= SLIVER) this.paintBox(node, left, top, width);
      else run = this.addSliver(run, node, Math.floor(left), top);
    }
    this.paintRun(run, top);
  }

  /* Slivers side by side are painted as one run: thousands a row are common. */
  addSliver(run, node, pixel, top) {
    const isMatched = this.isMatch(node);
    if (run && pixel < run.right && !isMatched) return run;
    const color = isMatched ? this.view.brush.match : this.sliverColor(node);
    if (run && run.color === color && pixel <= run.right) {
      run.right = pixel + 1;
      return run;
    }
    this.paintRun(run, top);
    return { left: pixel, right: pixel + 1, color, alpha: 0.6 * this.alphaOf(node) };
  }

  paintRun(run, top) {
    if (!run) return;
    this.context.globalAlpha = run.alpha;
    this.context.fillStyle = run.color;
    this.context.fillRect(run.left, top, run.right - run.left, ROW - GAP);
    this.context.globalAlpha = 1;
  }

  isMatch(node) {
    const { matches, tree } = this.profile;
    return matches !== null && node !== ROOT && matches[tree.fn[node]] === 1;
  }

  shadeOf(node) {
    const { diff, tree } = this.profile;
    return shade(diff, points(diff, tree.total[0][node], tree.total[1][node]));
  }

  sliverColor(node) {
    if (this.profile.diff) return this.shadeOf(node);
    const { functions, tree } = this.profile;
    return this.view.brush.kinds[functions.kind[tree.fn[node]]];
  }

  fillOf(node) {
    if (this.isMatch(node)) return this.view.brush.match;
    if (this.profile.diff) return this.shadeOf(node);
    return node === ROOT ? this.view.brush.root : this.view.brush.functions[this.profile.tree.fn[node]];
  }

  /* What does not match a search, and the callers of what is zoomed to, step back. */
  alphaOf(node) {
    const { matches, tree } = this.profile;
    if (matches && !this.isMatch(node)) return 0.35;
    return tree.depth[node] < tree.depth[this.view.zoom] ? 0.55 : 1;
  }

  isInlined(node) {
    return node !== ROOT && this.profile.functions.inlined[this.profile.tree.fn[node]] === 1;
  }

  paintBox(node, left, top, width) {
    const { context } = this;
    context.globalAlpha = this.alphaOf(node);
    context.fillStyle = this.fillOf(node);
    context.fillRect(left, top, Math.max(SLIVER, width - (width > 3 ? GAP : 0)), ROW - GAP);
    if (this.isInlined(node) && width > 6) {
      context.fillStyle = this.view.brush.text;
      context.globalAlpha *= 0.45;
      context.fillRect(left, top, 2, ROW - GAP);
    }
    if (this.profile.diff && this.isMatch(node) && width > 8) this.paintInside(node, left, top, width);
    this.paintLabel(node, left, top, width);
    context.globalAlpha = 1;
  }

  /* The change of a match, in the frame that marks it. */
  paintInside(node, left, top, width) {
    this.context.fillStyle = this.shadeOf(node);
    this.context.fillRect(left + 3, top + 3, width - GAP - 6, ROW - GAP - 6);
  }

  paintLabel(node, left, top, width) {
    const { context, view } = this;
    const space = Math.floor((width - 2 * PADDING - GAP) / view.characterWidth);
    if (space < SHORTEST_LABEL) return;
    const name = node === ROOT ? "all" : this.profile.functions.name[this.profile.tree.fn[node]];
    context.globalAlpha = this.profile.matches && !this.isMatch(node) ? 0.6 : 1;
    context.fillStyle = view.brush.text;
    context.font = this.isInlined(node) ? `italic ${view.font}` : view.font;
    const label = name.length <= space ? name : `${name.slice(0, space - 1)}…`;
    context.fillText(label, left + PADDING + 1, top + (ROW - GAP) / 2 + 0.5);
  }

  paintOutline(node, thickness, color) {
    if (node < 0) return;
    const { left, width, top } = this.boxOf(node);
    if (width <= 0) return;
    const inset = thickness / 2;
    this.context.strokeStyle = color;
    this.context.lineWidth = thickness;
    this.context.strokeRect(left + inset, top + inset, Math.max(1, width - GAP - thickness), ROW - GAP - thickness);
  }
}
