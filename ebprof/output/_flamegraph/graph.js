/* The flame graph, with all that can be done to it: in the files of `ebprof flame` and on the collector's pages.
 *
 * `show` draws a profile by choices (`CHOICES`); whatever a person does becomes a patch of these, which `onChoose`
 * gets. Whoever has the graph keeps them and shows it again.
 */

import { Chart } from "./chart.js";
import { Detail } from "./detail.js";
import { button, copy, element } from "./elements.js";
import { actionsOn, functionTable, neighbours } from "./functions.js";
import { legend } from "./legend.js";
import { CHOICES, chosen, FATES, fatesOf, matchedBelow, nodeOf, pathOf, VIEWS } from "./shown.js";
import { percent } from "./texts.js";
import { ROOT } from "./tree.js";

export { CHOICES };

export class Graph {
  /* isKeyed: whether keys are for it; of several on a page, for one. */
  constructor(onChoose, isKeyed = true) {
    this.onChoose = onChoose;
    this.detail = new Detail();
    this.chart = new Chart({
      onPoint: (node, x, y) => this.detail.show(this.shown, node, this.chart.zoom, x, y),
      onZoom: (node) => this.onChoose({ zoom: pathOf(this.shown, node) }),
      onMenu: (node, x, y) => this.openMenu(node, x, y),
    });
    this.tools = element("div", { className: "graph-tools" });
    this.tools.setAttribute("role", "toolbar");
    this.tools.setAttribute("aria-label", "Flame graph");
    this.matched = element("output", { className: "matched" });
    this.legend = element("ul", { className: "legend" });
    this.legend.setAttribute("aria-label", "Colours");
    this.menu = element("div", { className: "graph-menu", hidden: true });
    this.stage = element("div", { className: "stage" });
    const bar = element("div", { className: "graph-bar" }, this.tools, this.matched, this.legend);
    this.element = element("div", { className: "graph" }, bar, this.stage, this.detail.box, this.menu);
    this.onKey = this.onKey.bind(this);
    if (isKeyed) document.addEventListener("keydown", this.onKey);
    document.addEventListener("pointerdown", (event) => {
      if (!this.menu.contains(event.target)) this.menu.hidden = true;
    });
  }

  close() {
    document.removeEventListener("keydown", this.onKey);
    this.chart.close();
    this.element.remove();
  }

  show(profile, choices) {
    const before = this.choices;
    const isSame = profile === this.profile && before && Object.keys(CHOICES).every(
      (name) => name === "zoom" || JSON.stringify(before[name]) === JSON.stringify(choices[name]),
    );
    this.profile = profile;
    this.choices = { ...CHOICES, ...choices };
    if (!isSame) this.draw();
    else this.zoomAsChosen();
  }

  draw() {
    const { choices } = this;
    this.shown = chosen(this.profile, choices);
    this.menu.hidden = true;
    this.detail.box.hidden = true;
    this.drawTools();
    this.legend.replaceChildren(...legend(this.shown));
    const isTable = choices.view === "table";
    const parts = [isTable ? functionTable(this.shown, choices, (patch) => this.choose(patch)) : this.chart.scroller];
    if (choices.callers) parts.push(neighbours(this.shown, choices.callers, (patch) => this.choose(patch)));
    this.keepScrolled(parts);
    if (!isTable) {
      const zoom = nodeOf(this.shown, choices.zoom);
      this.chart.show(this.shown, { widths: choices.widths, isIcicle: choices.icicle || choices.view === "up", zoom });
    }
    this.showMatched();
  }

  keepScrolled(parts) {
    const scrolled = this.stage.firstChild?.scrollTop ?? 0;
    if (this.stage.childNodes.length !== parts.length || parts.some((one, at) => this.stage.childNodes[at] !== one)) {
      this.stage.replaceChildren(...parts);
      parts[0].scrollTop = scrolled;
    }
  }

  zoomAsChosen() {
    if (this.choices.view === "table") return;
    const zoom = nodeOf(this.shown, this.choices.zoom);
    if (zoom !== this.chart.zoom) {
      this.chart.note(zoom);
      this.chart.glideTo(this.chart.whole());
      this.chart.reveal(zoom);
    }
    this.showMatched();
    this.reset.disabled = zoom === ROOT;
  }

  /* Lists are added to; the rest is replaced. */
  choose(patch) {
    const added = Object.fromEntries(
      ["hide", "drop"].filter((name) => patch[name]).map((name) => [name, [...new Set([...this.choices[name], ...patch[name]])]]),
    );
    this.onChoose({ ...patch, ...added });
  }

  drawTools() {
    const { choices, shown } = this;
    const toggle = (text, isOn, patch, title) => {
      const made = button(text, () => this.onChoose(patch), title);
      made.setAttribute("aria-pressed", String(isOn));
      return made;
    };
    const views = Object.entries(VIEWS).map(([view, text]) => toggle(text, choices.view === view, { view, zoom: [] }));
    const layout = toggle("icicle", choices.icicle, { icicle: !choices.icicle }, "Root on top (i)");
    layout.classList.add("layout");
    this.reset = button("reset zoom", () => this.chart.zoomTo(ROOT), "Show everything (0)");
    this.reset.classList.add("reset");
    this.reset.disabled = !choices.zoom.length;
    const parts = [element("span", { className: "views" }, ...views), layout, this.reset,
      toggle("merge recursion", choices.merge, { merge: !choices.merge, zoom: [] }, "Calls of a function by itself are one")];
    if (shown.diff) parts.push(...this.sides(toggle), this.fates(toggle));
    if (shown.matches) parts.push(toggle("only matches", choices.only, { only: !choices.only, zoom: [] }, "Leave out stacks without a match, so that small ones can be seen"));
    this.tools.replaceChildren(...parts, ...this.chips());
  }

  sides(toggle) {
    const { choices, shown } = this;
    const names = { A: shown.diff.names[0], B: shown.diff.names[1], both: "both" };
    const group = element("span", { className: "views" }, "widths ", ...Object.entries(names).map(
      ([side, text]) => toggle(text, choices.widths === side, { widths: side }, "Whose shares boxes are as wide as")));
    return [group];
  }

  fates(toggle) {
    const { choices } = this;
    const all = fatesOf(this.shown.diff, this.shown.tree, this.shown.functions);
    return element("span", { className: "views" }, ...FATES.map((fate) => {
      const count = fate === "all" ? "" : ` ${all.filter((one) => one.includes(fate)).length}`;
      return toggle(fate + count, choices.fate === fate, { fate });
    }));
  }

  /* What was left out, each to take back. */
  chips() {
    const { hide, drop, focus } = this.choices;
    const chip = (text, name, patch) => {
      const made = button("", () => this.onChoose({ ...patch, zoom: [] }), "take it back");
      made.className = "chip";
      made.append(`${text} `, element("code", { textContent: name }), " ×");
      return made;
    };
    return [
      ...(focus ? [chip("focus:", focus, { focus: "" })] : []),
      ...hide.map((name) => chip("hidden:", name, { hide: hide.filter((one) => one !== name) })),
      ...drop.map((name) => chip("without stacks through:", name, { drop: drop.filter((one) => one !== name) })),
    ];
  }

  showMatched() {
    const { shown, chart, choices } = this;
    this.matched.textContent = "";
    if (shown.isBroken) this.matched.textContent = "no regular expression";
    if (!shown.matches || choices.view === "table") return;
    const matched = matchedBelow(shown, chart.layout, chart.zoom);
    this.matched.textContent = `${percent(matched, chart.layout.count[chart.zoom])} matched`;
    this.matched.title = shown.diff ? "of the widths" : shown.cost(matched);
  }

  openMenu(node, x, y) {
    const name = this.chart.nameOf(node);
    const items = actionsOn(name).map(([text, patch]) => button(text, () => this.choose(patch)));
    const copyName = button("copy name", () => this.copyName(node));
    this.menu.replaceChildren(element("code", { textContent: name }), ...items, copyName);
    this.menu.hidden = false;
    const { width, height } = this.menu.getBoundingClientRect();
    const place = [Math.min(x, innerWidth - width - 8), Math.min(y, innerHeight - height - 8)];
    this.menu.style.transform = `translate(${Math.max(8, place[0])}px, ${Math.max(8, place[1])}px)`;
    this.detail.box.hidden = true;
    items[0].focus();
  }

  copyName(node) {
    this.menu.hidden = true;
    copy(this.chart.nameOf(node));
  }

  // ---- keys

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || !this.shown) return;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName)) return;
    if (event.target.tagName === "BUTTON" && /^(Enter|Arrow)/.test(event.key)) return;
    if (this.act(event.key)) event.preventDefault();
  }

  act(key) {
    const { chart } = this;
    if (key === "Escape") return this.escape();
    const isChart = this.choices.view !== "table";
    const node = chart.selected > ROOT ? chart.selected : chart.hovered;
    const on = (number) => () => node > ROOT && this.choose(actionsOn(chart.nameOf(node))[number][1]);
    const keys = {
      n: () => chart.selectMatch(1), N: () => chart.selectMatch(-1),
      ArrowLeft: () => chart.move(key), ArrowRight: () => chart.move(key),
      ArrowUp: () => chart.move(key), ArrowDown: () => chart.move(key),
      Enter: () => chart.zoomTo(Math.max(ROOT, chart.selected)),
      Backspace: () => chart.zoomTo(Math.max(ROOT, this.shown.tree.parent[chart.zoom])),
      0: () => chart.zoomTo(ROOT), Home: () => chart.zoomTo(ROOT),
      i: () => this.onChoose({ icicle: !this.choices.icicle }),
      c: () => node >= 0 && this.copyName(node),
      f: on(0), h: on(1), x: on(2), a: on(3),
      m: () => node > ROOT && this.openMenu(node, ...this.middle()),
    };
    if (!isChart || !Object.hasOwn(keys, key)) return false;
    keys[key]();
    return true;
  }

  middle() {
    const { left, top, width, height } = this.detail.box.getBoundingClientRect();
    return width ? [left, top + height + 4] : [innerWidth / 2, innerHeight / 2];
  }

  escape() {
    const { chart, choices } = this;
    if (!this.menu.hidden) this.menu.hidden = true;
    else if (choices.search) this.onChoose({ search: "" });
    else if (choices.callers) this.onChoose({ callers: "" });
    else if (choices.view !== "table" && chart.zoom !== ROOT) chart.zoomTo(ROOT);
    else return false;
    chart.selected = -1;
    chart.point(-1);
    chart.canvas.focus();
    return true;
  }
}
