"use strict";

/* Draws the call tree in #data on one canvas, of which only the visible rows are painted. Names
 * come from other programs: they reach the page as text (textContent, fillText), never as HTML.
 */

const ROW = 20; // pixels, gap included
const GAP = 1;
const PADDING = 4;
const SLIVER = 0.7; // boxes narrower than this are slivers, which share pixels
const SHORTEST_LABEL = 3; // characters
const ZOOM_MS = 160;
const ROOT = 0;

const KINDS = {
  user: { label: "user", hue: [20, 42], light: [88, 70], dark: [58, 29] },
  kernel: { label: "kernel", hue: [203, 222], light: [72, 76], dark: [42, 36] },
  jit: { label: "JIT", hue: [138, 158], light: [46, 69], dark: [36, 29] },
  unknown: { label: "unknown", hue: [40, 60], light: [4, 77], dark: [3, 36] },
  process: { label: "process", hue: [255, 270], light: [34, 83], dark: [18, 34] },
  stop: { label: "incomplete", hue: [345, 355], light: [58, 82], dark: [34, 33] },
};
const MATCH = { light: "hsl(302 82% 74%)", dark: "hsl(302 52% 42%)" };

const byId = (id) => document.getElementById(id);
const data = JSON.parse(byId("data").textContent);
const diff = data.diff ?? null; // two profiles, A and B: see ebprof.comparison.reports.flamegraph
const functions = data.functions;
const tree = plant(data);
const chart = byId("chart");
const scroller = byId("scroller");
const context = chart.getContext("2d");
const darkQuery = matchMedia("(prefers-color-scheme: dark)");
const calmQuery = matchMedia("(prefers-reduced-motion: reduce)");

const state = {
  zoom: ROOT,
  view: { start: 0, count: tree.count[ROOT] }, // what is drawn; follows zoom when animated
  isIcicle: false,
  hovered: -1,
  selected: -1,
  matches: null, // Uint8Array by function, or null
  width: 0,
  height: 0,
  font: "",
  characterWidth: 7,
  colors: [],
};

// ---- the tree --------------------------------------------------------------------------------

/* Columns by node, in preorder: function (-1 for the root), depth, parent, start and count in
 * samples; and `levels`, the nodes of each depth from left to right.
 */
function plant({ nodes, common, added, count, total }) {
  const size = nodes.length + 1;
  const planted = {
    size,
    fn: new Int32Array(size).fill(-1),
    depth: new Int32Array(size),
    parent: new Int32Array(size).fill(-1),
    start: new Float64Array(size),
    count: new Float64Array(size),
    self: new Float64Array(size),
    levels: [[ROOT]],
  };
  planted.count[ROOT] = total;
  const path = [ROOT];
  let node = 1;
  let before = 0;
  for (let branch = 0; branch < count.length; branch++) {
    path.length = common[branch] + 1;
    for (let step = 0; step < added[branch]; step++, node++) {
      const depth = path.length;
      planted.fn[node] = nodes[node - 1];
      planted.depth[node] = depth;
      planted.parent[node] = path[depth - 1];
      planted.start[node] = before;
      (planted.levels[depth] ??= []).push(node);
      path.push(node);
    }
    for (let depth = 1; depth < path.length; depth++) planted.count[path[depth]] += count[branch];
    planted.self[path[path.length - 1]] += count[branch];
    before += count[branch];
  }
  return planted;
}

const nameOf = (node) => (node === ROOT ? "all" : functions.name[tree.fn[node]]);
const isInlined = (node) => node !== ROOT && functions.inlined[tree.fn[node]] === 1;
const kindOf = (node) => (node === ROOT ? "process" : data.kinds[functions.kind[tree.fn[node]]]);
const endOf = (node) => tree.start[node] + tree.count[node];

/* Index in a level of the first node that ends right of `position`. */
function firstEndingAfter(level, position) {
  let low = 0;
  let high = level.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (endOf(level[middle]) > position) high = middle;
    else low = middle + 1;
  }
  return low;
}

function nodeAt(depth, position) {
  const level = tree.levels[depth];
  if (!level) return -1;
  const node = level[firstEndingAfter(level, position)];
  return node !== undefined && tree.start[node] <= position ? node : -1;
}

function childrenOf(node) {
  const level = tree.levels[tree.depth[node] + 1] ?? [];
  const children = [];
  for (let i = firstEndingAfter(level, tree.start[node]); i < level.length; i++) {
    if (tree.parent[level[i]] !== node) break;
    children.push(level[i]);
  }
  return children;
}

// ---- geometry --------------------------------------------------------------------------------

const contentHeight = () => tree.levels.length * ROW + 2 * PADDING;
const fullHeight = () => Math.max(contentHeight(), state.height);

/* The top of a row, in the coordinates of the whole (scrolled) picture. */
function rowTop(depth) {
  return state.isIcicle ? PADDING + depth * ROW : fullHeight() - PADDING - (depth + 1) * ROW;
}

function depthAt(y) {
  const distance = state.isIcicle ? y - PADDING : fullHeight() - PADDING - y;
  return Math.floor(distance / ROW);
}

const toX = (position) => ((position - state.view.start) / state.view.count) * state.width;
const toPosition = (x) => state.view.start + (x / state.width) * state.view.count;

/* The visible part of a node's box, in pixels of the canvas. */
function boxOf(node) {
  const left = Math.max(0, toX(tree.start[node]));
  const right = Math.min(state.width, toX(endOf(node)));
  return { left, width: right - left, top: rowTop(tree.depth[node]) - scroller.scrollTop };
}

// ---- colours ---------------------------------------------------------------------------------

function hashOf(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  return (hash >>> 0) / 2 ** 32;
}

function colorOf(kind, name, isFaint) {
  const { hue, light, dark } = KINDS[kind];
  const [saturation, lightness] = darkQuery.matches ? dark : light;
  const spread = hashOf(name);
  const faint = isFaint ? (darkQuery.matches ? -7 : 9) : 0;
  const turned = hue[0] + spread * (hue[1] - hue[0]);
  return `hsl(${turned} ${saturation}% ${lightness + faint + 4 * (spread - 0.5)}%)`;
}

function mixColors() {
  state.colors = functions.name.map((name, fn) =>
    colorOf(data.kinds[functions.kind[fn]], name, functions.inlined[fn] === 1),
  );
}

/* What a node changed from A to B, in percentage points; columns: diff.total or diff.self. */
function pointsOf(columns, node) {
  const [before, after] = diff.whole;
  return (100 * (columns.b[node] * before - columns.a[node] * after)) / (before * after);
}

function shade(points) {
  const shades = darkQuery.matches ? diff.shades.dark : diff.shades.light;
  const step = diff.steps.filter((least) => Math.abs(points) >= least).length - 1;
  if (step < 0) return shades.same[0];
  return (points > 0 ? shades.grew : shades.shrank)[step];
}

function cssColor(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

// ---- painting --------------------------------------------------------------------------------

let isPaintPending = false;

function repaint() {
  if (isPaintPending) return;
  isPaintPending = true;
  requestAnimationFrame(() => {
    isPaintPending = false;
    paint();
  });
}

function paint() {
  const scale = devicePixelRatio || 1;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, state.width, state.height);
  context.textBaseline = "middle";
  const brush = {
    text: cssColor("--text"),
    match: darkQuery.matches ? MATCH.dark : MATCH.light,
    root: colorOf("process", "all", true),
    kinds: Object.fromEntries(data.kinds.map((kind) => [kind, colorOf(kind, "main", false)])),
  };
  const ends = [depthAt(scroller.scrollTop), depthAt(scroller.scrollTop + state.height)];
  const deepest = Math.min(tree.levels.length - 1, Math.max(...ends));
  for (let depth = Math.max(0, Math.min(...ends)); depth <= deepest; depth++) {
    paintLevel(depth, brush);
  }
  paintOutline(state.selected, 2, cssColor("--accent"));
  paintOutline(state.hovered, 1.5, brush.text);
}

function paintLevel(depth, brush) {
  const level = tree.levels[depth];
  const top = rowTop(depth) - scroller.scrollTop;
  const limit = state.view.start + state.view.count;
  let run = null;
  for (let i = firstEndingAfter(level, state.view.start); i < level.length; i++) {
    const node = level[i];
    if (tree.start[node] >= limit) break;
    const left = Math.max(0, toX(tree.start[node]));
    const width = Math.min(state.width, toX(endOf(node))) - left;
    if (width >= SLIVER) paintBox(node, left, top, width, brush);
    else run = addSliver(run, node, Math.floor(left), top, brush);
  }
  paintRun(run, top);
}

/* Slivers side by side are painted as one run: thousands a row are common. */
function addSliver(run, node, pixel, top, brush) {
  const isMatched = state.matches !== null && isMatch(node);
  if (run && pixel < run.right && !isMatched) return run;
  const color = isMatched ? brush.match : sliverColor(node, brush);
  if (run && run.color === color && pixel <= run.right) {
    run.right = pixel + 1;
    return run;
  }
  paintRun(run, top);
  return { left: pixel, right: pixel + 1, color, alpha: 0.6 * alphaOf(node) };
}

function sliverColor(node, brush) {
  return diff ? shade(pointsOf(diff.total, node)) : brush.kinds[kindOf(node)];
}

function paintRun(run, top) {
  if (!run) return;
  context.globalAlpha = run.alpha;
  context.fillStyle = run.color;
  context.fillRect(run.left, top, run.right - run.left, ROW - GAP);
  context.globalAlpha = 1;
}

const isMatch = (node) => node !== ROOT && state.matches[tree.fn[node]] === 1;

function fillOf(node, brush) {
  if (state.matches && isMatch(node)) return brush.match;
  if (diff) return shade(pointsOf(diff.total, node));
  return node === ROOT ? brush.root : state.colors[tree.fn[node]];
}

/* What does not match a search, and the callers of what is zoomed to, step back. */
function alphaOf(node) {
  if (state.matches && !isMatch(node)) return 0.35;
  return tree.depth[node] < tree.depth[state.zoom] ? 0.55 : 1;
}

function paintBox(node, left, top, width, brush) {
  context.globalAlpha = alphaOf(node);
  context.fillStyle = fillOf(node, brush);
  context.fillRect(left, top, Math.max(SLIVER, width - (width > 3 ? GAP : 0)), ROW - GAP);
  if (isInlined(node) && width > 6) {
    context.fillStyle = brush.text;
    context.globalAlpha *= 0.45;
    context.fillRect(left, top, 2, ROW - GAP);
  }
  if (diff && state.matches && isMatch(node) && width > 8) paintInside(node, left, top, width);
  paintLabel(node, left, top, width, brush);
  context.globalAlpha = 1;
}

/* The change of a match, in the frame that marks it. */
function paintInside(node, left, top, width) {
  context.fillStyle = shade(pointsOf(diff.total, node));
  context.fillRect(left + 3, top + 3, width - GAP - 6, ROW - GAP - 6);
}

function paintLabel(node, left, top, width, brush) {
  const space = Math.floor((width - 2 * PADDING - GAP) / state.characterWidth);
  if (space < SHORTEST_LABEL) return;
  const name = nameOf(node);
  context.globalAlpha = state.matches && !isMatch(node) ? 0.6 : 1;
  context.fillStyle = brush.text;
  context.font = isInlined(node) ? `italic ${state.font}` : state.font;
  const label = name.length <= space ? name : `${name.slice(0, space - 1)}…`;
  context.fillText(label, left + PADDING + 1, top + (ROW - GAP) / 2 + 0.5);
}

function paintOutline(node, thickness, color) {
  if (node < 0) return;
  const { left, width, top } = boxOf(node);
  if (width <= 0) return;
  context.strokeStyle = color;
  context.lineWidth = thickness;
  const inset = thickness / 2;
  context.strokeRect(
    left + inset,
    top + inset,
    Math.max(1, width - GAP - thickness),
    ROW - GAP - thickness,
  );
}

// ---- what is shown ---------------------------------------------------------------------------

function zoomTo(node) {
  state.zoom = node;
  byId("reset").disabled = node === ROOT;
  chart.dataset.zoom = nameOf(node);
  showMatched();
  glideTo({ start: tree.start[node], count: tree.count[node] || 1 });
  reveal(node);
}

/* Move the view in a few frames, so that the eye can follow. */
function glideTo(target) {
  const from = state.view;
  const begin = performance.now();
  const step = (now) => {
    if (state.glide !== step) return;
    const progress = Math.min(1, Math.max(0, now - begin) / ZOOM_MS);
    const eased = 1 - (1 - progress) ** 3;
    state.view = {
      start: from.start + (target.start - from.start) * eased,
      count: from.count + (target.count - from.count) * eased,
    };
    if (progress < 1) requestAnimationFrame(step);
    else state.view = target;
    paint();
  };
  state.glide = step;
  if (calmQuery.matches) {
    state.view = target;
    repaint();
  } else {
    requestAnimationFrame(step);
  }
}

/* Scroll a node's row into sight. */
function reveal(node) {
  const top = rowTop(tree.depth[node]);
  const margin = ROW + PADDING;
  if (top - margin < scroller.scrollTop) {
    scroller.scrollTop = top - margin;
  } else if (top + ROW + margin > scroller.scrollTop + state.height) {
    scroller.scrollTop = top + ROW + margin - state.height;
  }
}

function toggleLayout() {
  state.isIcicle = !state.isIcicle;
  chart.dataset.layout = state.isIcicle ? "icicle" : "flame";
  byId("layout").setAttribute("aria-pressed", String(state.isIcicle));
  scroller.scrollTop = state.isIcicle ? 0 : fullHeight();
  reveal(state.zoom);
  point(-1);
  repaint();
}

// ---- search ----------------------------------------------------------------------------------

/* A test for names: text in any case, or a regular expression between slashes. */
function matcherOf(query) {
  const pattern = /^\/(.+)\/$/.exec(query);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1], "i");
      return (name) => expression.test(name);
    } catch {
      return null;
    }
  }
  const wanted = query.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

function search(query) {
  const matcher = query ? matcherOf(query) : null;
  byId("search").setAttribute("aria-invalid", String(query !== "" && matcher === null));
  state.matches = matcher && Uint8Array.from(functions.name, (name) => (matcher(name) ? 1 : 0));
  showMatched();
  repaint();
}

/* Samples below the zoomed node that pass through a match; each counts once. */
function matchedCount() {
  const shallowest = tree.depth[state.zoom];
  let matched = 0;
  for (let node = state.zoom; node < tree.size; ) {
    if (node !== state.zoom && tree.depth[node] <= shallowest) break;
    if (isMatch(node)) {
      matched += tree.count[node];
      node = subtreeEnd(node);
    } else {
      node++;
    }
  }
  return matched;
}

function subtreeEnd(node) {
  const depth = tree.depth[node];
  let next = node + 1;
  while (next < tree.size && tree.depth[next] > depth) next++;
  return next;
}

function showMatched() {
  const output = byId("matched");
  if (!state.matches) {
    output.textContent = "";
    return;
  }
  const matched = matchedCount();
  output.textContent = `${percent(matched, tree.count[state.zoom])} matched`;
  output.title = diff ? `of ${diff.widths}` : costOf(matched);
}

function selectMatch(step) {
  if (!state.matches) return;
  for (let i = 1; i <= tree.size; i++) {
    const node = (Math.max(0, state.selected) + step * i + 2 * tree.size) % tree.size;
    if (isMatch(node) && isInView(node)) {
      select(node);
      return;
    }
  }
}

function isInView(node) {
  const end = tree.start[state.zoom] + tree.count[state.zoom];
  return tree.start[node] >= tree.start[state.zoom] && endOf(node) <= end;
}

// ---- detail ----------------------------------------------------------------------------------

const percent = (part, whole) => `${whole ? ((100 * part) / whole).toFixed(2) : "0.00"}%`;
const grouped = (number) => number.toLocaleString("en-US");
const amount = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;

function duration(nanoseconds) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (nanoseconds >= size) return `${(nanoseconds / size).toPrecision(3).replace(/\.0+$/, "")} ${unit}`;
  }
  return `${nanoseconds} ns`;
}

/* A value of a sample type: in the largest unit of which it has one, and what is counted. */
function measured(number, { steps, noun }) {
  const fits = steps.filter(([, size]) => Math.abs(number) >= size);
  const [label, size] = fits.length ? fits[fits.length - 1] : steps[0];
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const written = (number / size).toLocaleString("en-US", digits).replace(/\.00$/, "");
  return [number ? written + label : "0", noun].filter(Boolean).join(" ");
}

/* Samples, and as time where a sample stands for time; or a value. */
function costOf(count) {
  if (data.measure) return measured(count, data.measure);
  if (!data.period || data.unit !== "nanoseconds") return amount(count, "sample");
  return `${amount(count, "sample")}, ${duration(count * data.period)}`;
}

function placeOf(fn) {
  const file = data.files[functions.file[fn]];
  const [first, last] = [functions.first[fn], functions.last[fn]];
  const line = first ? (first === last ? `:${first}` : `:${first}-${last}`) : "";
  const module = data.modules[functions.module[fn]];
  return [file && file + line, module].filter(Boolean).join("  ·  ");
}

function countText(node) {
  const share = percent(tree.count[node], tree.count[ROOT]);
  const zoomed = `, ${percent(tree.count[node], tree.count[state.zoom])} of zoom`;
  const inZoom = state.zoom !== ROOT && tree.depth[node] >= tree.depth[state.zoom];
  return `${share}  (${costOf(tree.count[node])})${inZoom ? zoomed : ""}`;
}

const signed = (number, text) => (number > 0 ? `+${text}` : number < 0 ? `-${text}` : text);

function quantity(number) {
  if (diff.measure) return measured(number, diff.measure);
  if (diff.unit === "nanoseconds") return duration(number);
  return diff.unit === "samples" ? amount(number, "sample") : `${grouped(number)} ${diff.unit}`;
}

/* `+1.25 points`, or `+1,250 samples (+50.0%)` where quantities are compared as they are. */
function changeText(columns, node) {
  if (!diff.is_absolute) {
    const points = pointsOf(columns, node);
    return `${signed(Math.abs(points) < 0.005 ? 0 : points, Math.abs(points).toFixed(2))} points`;
  }
  const [before, after] = [columns.a[node], columns.b[node]];
  const ratio = before ? `  (${signed(after - before, Math.abs((100 * (after - before)) / before).toFixed(1))}%)` : "";
  return signed(after - before, quantity(Math.abs(after - before))) + ratio;
}

function sidesText(columns, node) {
  return ["a", "b"].map((side) => {
    const share = percent(columns[side][node], diff.total[side][ROOT]);
    return `${side.toUpperCase()} ${share}  (${quantity(columns[side][node])})`;
  });
}

function fateText(node) {
  if (!diff.total.a[node]) return ", no such stack in A";
  return diff.total.b[node] ? "" : ", no such stack in B";
}

function describeChange(node) {
  const [before, after] = sidesText(diff.total, node);
  byId("detail-count").textContent = `${before}\n${after}\n${changeText(diff.total, node)}${fateText(node)}`;
  const hasSelf = diff.self.a[node] || diff.self.b[node];
  byId("detail-self").textContent = hasSelf
    ? `self ${sidesText(diff.self, node).join("  →  ")}: ${changeText(diff.self, node)}`
    : "";
}

function describe(node) {
  const fn = tree.fn[node];
  const kind = KINDS[kindOf(node)].label;
  byId("detail-name").textContent = nameOf(node);
  byId("detail-count").textContent = countText(node);
  byId("detail-self").textContent = tree.self[node]
    ? `self ${percent(tree.self[node], tree.count[ROOT])}  (${costOf(tree.self[node])})`
    : "";
  if (diff) describeChange(node);
  byId("detail-place").textContent = fn < 0 ? "" : placeOf(fn);
  byId("detail-kind").textContent = fn < 0 ? "" : isInlined(node) ? `${kind}, inlined` : kind;
}

/* Show the detail of a node beside a point of the window, or none. */
function showDetail(node, x, y) {
  const detail = byId("detail");
  detail.hidden = node < 0;
  if (node < 0) return;
  describe(node);
  const { width, height } = detail.getBoundingClientRect();
  const left = Math.min(x + 14, innerWidth - width - 8);
  const top = y + 18 + height > innerHeight ? y - height - 12 : y + 18;
  detail.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
}

function point(node, x = 0, y = 0) {
  chart.classList.toggle("pointing", node >= 0);
  showDetail(node, x, y);
  if (state.hovered === node) return;
  state.hovered = node;
  repaint();
}

function select(node) {
  state.selected = node;
  chart.dataset.selected = nameOf(node);
  if (!isInView(node) && tree.depth[node] >= tree.depth[state.zoom]) zoomTo(tree.parent[node]);
  reveal(node);
  const { left, top } = boxOf(node);
  const bounds = chart.getBoundingClientRect();
  showDetail(node, bounds.left + left, bounds.top + top + ROW / 2);
  repaint();
}

// ---- input -----------------------------------------------------------------------------------

function nodeUnder(event) {
  const bounds = chart.getBoundingClientRect();
  const y = event.clientY - bounds.top + scroller.scrollTop;
  return nodeAt(depthAt(y), toPosition(event.clientX - bounds.left));
}

function onClick(event) {
  const node = nodeUnder(event);
  if (node < 0) return;
  state.selected = -1;
  zoomTo(node);
}

function neighbour(node, step) {
  const level = tree.levels[tree.depth[node]];
  return level[firstEndingAfter(level, tree.start[node]) + step] ?? node;
}

function widestChild(node) {
  return childrenOf(node).reduce(
    (best, child) => (best < 0 || tree.count[child] > tree.count[best] ? child : best),
    -1,
  );
}

/* Towards the root is down in a flame graph and up in an icicle. */
function move(key) {
  const from = state.selected < 0 ? state.zoom : state.selected;
  const outwards = state.isIcicle ? "ArrowUp" : "ArrowDown";
  if (state.selected < 0) select(from);
  else if (key === "ArrowLeft") select(neighbour(from, -1));
  else if (key === "ArrowRight") select(neighbour(from, 1));
  else if (key === outwards) select(Math.max(ROOT, tree.parent[from]));
  else if (widestChild(from) >= 0) select(widestChild(from));
}

function escape() {
  if (state.matches) {
    byId("search").value = "";
    search("");
  } else {
    zoomTo(ROOT);
  }
  state.selected = -1;
  point(-1);
  chart.focus();
}

function toggleHelp() {
  const help = byId("help");
  if (help.open) help.close();
  else help.showModal();
  byId("help-button").setAttribute("aria-expanded", String(help.open));
}

function copyName() {
  const node = state.hovered >= 0 ? state.hovered : state.selected;
  if (node >= 0) navigator.clipboard?.writeText(nameOf(node));
}

const KEYS = {
  "/": () => byId("search").select(),
  n: () => selectMatch(1),
  N: () => selectMatch(-1),
  ArrowLeft: move,
  ArrowRight: move,
  ArrowUp: move,
  ArrowDown: move,
  Enter: () => zoomTo(Math.max(ROOT, state.selected)),
  Backspace: () => zoomTo(Math.max(ROOT, tree.parent[state.zoom])),
  0: () => zoomTo(ROOT),
  Home: () => zoomTo(ROOT),
  i: toggleLayout,
  c: copyName,
  "?": toggleHelp,
};

function onKey(event) {
  const isFind = event.key === "f" && (event.ctrlKey || event.metaKey);
  if (isFind) {
    event.preventDefault();
    byId("search").select();
  } else if (event.key === "Escape" && !byId("help").open) {
    escape();
  } else if (event.target === byId("search")) {
    if (event.key === "Enter") onSearchEnter();
  } else if (isPlainKey(event)) {
    event.preventDefault();
    KEYS[event.key](event.key);
  }
}

function isPlainKey(event) {
  const isButton = event.target instanceof HTMLButtonElement && event.key === "Enter";
  const isChord = event.ctrlKey || event.metaKey || event.altKey;
  return Object.hasOwn(KEYS, event.key) && !isChord && !isButton;
}

function onSearchEnter() {
  chart.focus();
  selectMatch(1);
}

// ---- the page --------------------------------------------------------------------------------

function addItem(list, text, className = "") {
  const item = document.createElement("li");
  item.textContent = text;
  item.className = className;
  byId(list).append(item);
  return item;
}

function swatch(color) {
  const space = "http://www.w3.org/2000/svg";
  const box = document.createElementNS(space, "svg");
  const fill = document.createElementNS(space, "rect");
  fill.setAttribute("width", "12");
  fill.setAttribute("height", "12");
  fill.setAttribute("fill", color);
  box.append(fill);
  return box;
}

function showLegend() {
  byId("legend").replaceChildren();
  if (diff) showShades();
  else showKinds();
}

/* From what shrank most to what grew most, each with the least change that it stands for. */
function showShades() {
  const byStep = diff.steps.map((least) => [`+${least}`, shade(least)]);
  const shrank = diff.steps.map((least) => [`-${least}`, shade(-least)]).reverse();
  const whole = diff.is_absolute ? "% of the larger total" : "percentage points of all samples";
  addItem("legend", `from A to B, ${whole}:`);
  addItem("legend", "shrank");
  for (const [text, color] of [...shrank, ["same", shade(0)], ...byStep]) {
    addItem("legend", text).prepend(swatch(color));
  }
  addItem("legend", "grew");
}

function showKinds() {
  const used = new Set(functions.kind);
  data.kinds.forEach((kind, number) => {
    if (used.has(number)) addItem("legend", KINDS[kind].label).prepend(swatch(colorOf(kind, "main", false)));
  });
  if (functions.inlined.includes(1)) addItem("legend", "▏italic: inlined");
}

function widthsText() {
  const other = diff.widths === "A" ? "B" : "A";
  return `Widths are ${diff.widths}'s; for what only ${other} has, draw it with --widths ${other}`;
}

function summaryText() {
  if (diff) return [...diff.runs, widthsText()].join("\n");
  const parts = [costOf(data.total)];
  if (data.duration_ns) parts.push(`over ${duration(data.duration_ns)}`);
  const period = data.measure ? 0 : data.period;
  if (period && data.unit === "nanoseconds") parts.push(`one each ${duration(period)}`);
  if (period > 1 && data.unit === "count") parts.push(`one each ${amount(period, "event")}`);
  if (data.time_ns) parts.push(new Date(data.time_ns / 1e6).toLocaleString());
  return parts.join("  ·  ");
}

function showHeader() {
  byId("title").textContent = data.title;
  byId("summary").textContent = data.total || data.measure ? summaryText() : "No samples were taken.";
  byId("summary").classList.toggle("runs", diff !== null);
  byId("comments").textContent = data.comments.join("  ·  ");
  for (const { reason, count, is_whole: isWhole } of data.stops) {
    const text = `${reason} ${percent(count, data.total)}`;
    addItem("stops", text, isWhole ? "" : "incomplete").title = costOf(count);
  }
}

function resize() {
  const scale = devicePixelRatio || 1;
  const belowSight = fullHeight() - scroller.scrollTop - state.height;
  state.width = scroller.clientWidth;
  state.height = scroller.clientHeight;
  chart.width = Math.round(state.width * scale);
  chart.height = Math.round(state.height * scale);
  chart.style.height = `${state.height}px`;
  byId("spacer").style.height = `${fullHeight() - state.height}px`;
  if (!state.isIcicle) scroller.scrollTop = fullHeight() - belowSight - state.height;
  paint();
}

function restyle() {
  mixColors();
  showLegend();
  repaint();
}

function measureFont() {
  state.font = `12px ${cssColor("--mono")}`;
  context.font = state.font;
  state.characterWidth = context.measureText("M".repeat(50)).width / 50;
}

function listen() {
  chart.addEventListener("click", onClick);
  chart.addEventListener("mousemove", (event) =>
    point(nodeUnder(event), event.clientX, event.clientY),
  );
  chart.addEventListener("mouseleave", () => point(-1));
  scroller.addEventListener("scroll", () => {
    point(-1);
    repaint();
  });
  byId("search").addEventListener("input", (event) => search(event.target.value.trim()));
  byId("layout").addEventListener("click", toggleLayout);
  byId("reset").addEventListener("click", () => zoomTo(ROOT));
  byId("help-button").addEventListener("click", toggleHelp);
  document.addEventListener("keydown", onKey);
  darkQuery.addEventListener("change", restyle);
  new ResizeObserver(resize).observe(scroller);
}

function start() {
  measureFont();
  mixColors();
  showHeader();
  showLegend();
  chart.dataset.layout = "flame";
  chart.dataset.zoom = nameOf(ROOT);
  chart.dataset.rowHeight = String(ROW);
  listen();
  resize();
  scroller.scrollTop = fullHeight();
}

start();
