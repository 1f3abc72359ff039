/* A call tree to zoom and to move in: one canvas, of which only the visible rows are painted. */

import { cssColor, onThemeChange } from "./colors.js";
import { element } from "./elements.js";
import { brushOf, Painter, PADDING, ROW } from "./paint.js";
import { layoutOf } from "./shown.js";
import { ROOT } from "./tree.js";

const ZOOM_MS = 160;
const calmQuery = matchMedia("(prefers-reduced-motion: reduce)");

/* host: {onPoint(node, x, y), onZoom(node), onMenu(node, x, y)}. */
export class Chart {
  constructor(host) {
    this.host = host;
    this.canvas = element("canvas", { className: "chart", tabIndex: 0 });
    this.canvas.setAttribute("aria-label", "Flame graph; arrow keys move, Enter zooms");
    this.canvas.setAttribute("role", "application");
    this.spacer = element("div", { className: "spacer" });
    this.scroller = element("div", { className: "scroller" }, this.canvas, this.spacer);
    this.context = this.canvas.getContext("2d");
    Object.assign(this, { zoom: ROOT, hovered: -1, selected: -1, isIcicle: false, width: 0, height: 0 });
    this.view = { start: 0, count: 1 };
    this.canvas.dataset.rowHeight = String(ROW);
    this.listen();
  }

  listen() {
    const { canvas, scroller } = this;
    canvas.addEventListener("click", (event) => this.onClick(event));
    canvas.addEventListener("contextmenu", (event) => {
      const node = this.nodeUnder(event);
      if (node <= ROOT) return;
      event.preventDefault();
      this.host.onMenu(node, event.clientX, event.clientY);
    });
    canvas.addEventListener("mousemove", (event) => this.point(this.nodeUnder(event), event.clientX, event.clientY));
    canvas.addEventListener("mouseleave", () => this.point(-1));
    scroller.addEventListener("scroll", () => {
      this.point(-1);
      this.repaint();
    });
    this.forget = onThemeChange(() => {
      this.brush = brushOf(this.profile);
      this.repaint();
    });
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(scroller);
  }

  close() {
    this.forget();
    this.observer.disconnect();
  }

  /* Show a profile as `chosen` makes it; zoom: a node. */
  show(profile, { widths, isIcicle, zoom }) {
    const isFirst = !this.profile || this.isIcicle !== isIcicle;
    Object.assign(this, { profile, isIcicle, hovered: -1, selected: -1 });
    this.layout = layoutOf(profile, widths);
    this.brush = brushOf(profile);
    this.canvas.dataset.layout = isIcicle ? "icicle" : "flame";
    this.measureFont();
    this.note(zoom);
    this.view = this.whole();
    this.resize();
    if (isFirst) this.scroller.scrollTop = isIcicle ? 0 : this.fullHeight();
    this.reveal(zoom);
  }

  note(zoom) {
    this.zoom = zoom;
    this.canvas.dataset.zoom = this.nameOf(zoom);
  }

  whole() {
    return { start: this.layout.start[this.zoom], count: this.layout.count[this.zoom] || 1 };
  }

  nameOf(node) {
    return node === ROOT ? "all" : this.profile.functions.name[this.profile.tree.fn[node]];
  }

  measureFont() {
    this.font = `12px ${cssColor("--mono")}`;
    this.context.font = this.font;
    this.characterWidth = this.context.measureText("M".repeat(50)).width / 50;
  }

  // ---- geometry: rows in the coordinates of the whole (scrolled) picture

  contentHeight() {
    return this.layout.levels.length * ROW + 2 * PADDING;
  }

  fullHeight() {
    return Math.max(this.contentHeight(), this.height);
  }

  rowTop(depth) {
    return this.isIcicle ? PADDING + depth * ROW : this.fullHeight() - PADDING - (depth + 1) * ROW;
  }

  depthAt(y) {
    const distance = this.isIcicle ? y - PADDING : this.fullHeight() - PADDING - y;
    return Math.floor(distance / ROW);
  }

  nodeUnder(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const y = event.clientY - bounds.top + this.scroller.scrollTop;
    const x = event.clientX - bounds.left;
    return this.layout.nodeAt(this.depthAt(y), this.view.start + (x / this.width) * this.view.count);
  }

  // ---- painting

  repaint() {
    if (this.isPending) return;
    this.isPending = true;
    requestAnimationFrame(() => {
      this.isPending = false;
      this.paint();
    });
  }

  painter() {
    const { scroller, width, height, font, characterWidth, zoom, brush } = this;
    const rowTop = (depth) => this.rowTop(depth) - scroller.scrollTop;
    const view = { ...this.view, width, height, font, characterWidth, zoom, brush, rowTop };
    return new Painter(this.context, this.profile, this.layout, view);
  }

  paint() {
    if (!this.profile) return;
    const { scroller } = this;
    const ends = [this.depthAt(scroller.scrollTop), this.depthAt(scroller.scrollTop + this.height)];
    const first = Math.max(0, Math.min(...ends));
    const last = Math.min(this.layout.levels.length - 1, Math.max(...ends));
    const depths = Array.from({ length: Math.max(0, last - first + 1) }, (_, at) => first + at);
    const marks = [[this.selected, 2, this.brush.accent], [this.hovered, 1.5, this.brush.text]];
    this.painter().paint(depths, marks);
  }

  resize() {
    if (!this.profile) return;
    const scale = devicePixelRatio || 1;
    const belowSight = this.fullHeight() - this.scroller.scrollTop - this.height;
    this.width = this.scroller.clientWidth;
    this.height = this.scroller.clientHeight;
    this.canvas.width = Math.round(this.width * scale);
    this.canvas.height = Math.round(this.height * scale);
    this.canvas.style.height = `${this.height}px`;
    this.spacer.style.height = `${this.fullHeight() - this.height}px`;
    if (!this.isIcicle) this.scroller.scrollTop = this.fullHeight() - belowSight - this.height;
    this.paint();
  }

  // ---- moving

  zoomTo(node) {
    this.note(node);
    this.glideTo(this.whole());
    this.reveal(node);
    this.host.onZoom(node);
  }

  /* Move the view in a few frames, so that the eye can follow. */
  glideTo(target) {
    const from = this.view;
    const begin = performance.now();
    const step = (now) => {
      if (this.glide !== step) return;
      const progress = Math.min(1, Math.max(0, now - begin) / ZOOM_MS);
      const eased = 1 - (1 - progress) ** 3;
      const between = (name) => from[name] + (target[name] - from[name]) * eased;
      this.view = progress < 1 ? { start: between("start"), count: between("count") } : target;
      if (progress < 1) requestAnimationFrame(step);
      this.paint();
    };
    this.glide = step;
    if (calmQuery.matches) {
      this.glide = null;
      this.view = target;
      this.repaint();
    } else {
      requestAnimationFrame(step);
    }
  }

  /* Scroll a node's row into sight. */
  reveal(node) {
    const { scroller } = this;
    const top = this.rowTop(this.profile.tree.depth[node]);
    const margin = ROW + PADDING;
    if (top - margin < scroller.scrollTop) scroller.scrollTop = top - margin;
    else if (top + ROW + margin > scroller.scrollTop + this.height) scroller.scrollTop = top + ROW + margin - this.height;
  }

  point(node, x = 0, y = 0) {
    this.canvas.classList.toggle("pointing", node >= 0);
    this.host.onPoint(node, x, y);
    if (this.hovered === node) return;
    this.hovered = node;
    this.repaint();
  }

  select(node) {
    const { tree } = this.profile;
    this.selected = node;
    this.canvas.dataset.selected = this.nameOf(node);
    if (!this.layout.isWithin(node, this.zoom) && tree.depth[node] >= tree.depth[this.zoom]) this.zoomTo(tree.parent[node]);
    this.reveal(node);
    const { left, top } = this.painter().boxOf(node);
    const bounds = this.canvas.getBoundingClientRect();
    this.host.onPoint(node, bounds.left + left, bounds.top + top + ROW / 2);
    this.repaint();
  }

  onClick(event) {
    const node = this.nodeUnder(event);
    if (node < 0) return;
    this.selected = -1;
    this.zoomTo(node);
  }

  /* Towards the root is down in a flame graph and up in an icicle. */
  move(key) {
    const from = this.selected < 0 ? this.zoom : this.selected;
    const outwards = this.isIcicle ? "ArrowUp" : "ArrowDown";
    if (this.selected < 0) this.select(from);
    else if (key === "ArrowLeft") this.select(this.layout.neighbour(from, -1));
    else if (key === "ArrowRight") this.select(this.layout.neighbour(from, 1));
    else if (key === outwards) this.select(Math.max(ROOT, this.profile.tree.parent[from]));
    else if (this.layout.widestChild(from) >= 0) this.select(this.layout.widestChild(from));
  }

  /* The next or previous match within what is zoomed to, in the order of columns. */
  selectMatch(step) {
    const { matches, tree } = this.profile;
    if (!matches) return;
    for (let at = 1; at <= tree.size; at++) {
      const node = (Math.max(0, this.selected) + step * at + 2 * tree.size) % tree.size;
      const isShown = node !== ROOT && matches[tree.fn[node]] && this.layout.count[node];
      if (isShown && this.layout.isWithin(node, this.zoom)) {
        this.select(node);
        return;
      }
    }
  }
}
