/* The graph as cytoscape draws it: nodes by size, edges by width, what failed red. */

import { html, useEffect, useRef } from "../html.js";
import { si } from "../numbers.js";
import { cytoscape, layOut, placesOf } from "./places.js";

const HATCH = new URL("./hatch.svg", import.meta.url).href;
const LEAST = 16;
const LARGEST = 54;
const LONGEST = 30;
/* The width of an edge on which connects failed, whatever was moved. */
const LEAST_FAILED = 3;
const FEW = 40;
const FONT = 11;
/* Of many nodes the largest have their names in large letters, which can be read from afar. */
const LARGE_FONT = 30;
const MARGIN = 30;
/* Cytoscape adds a style sheet of its own, which the policy forbids, unless there is something of this name. */
const STYLE_ID = "__________cytoscape_stylesheet";

export const idOf = (kind, name) => JSON.stringify([kind, name]);
export const edgeId = (edge) => JSON.stringify([edge.client_kind, edge.client, edge.server_kind, edge.server, edge.counted]);

/* answer: the API's; sizes: of nodes by ID; search: what others are dimmed for; open: ID of what the panel is of. */
export function Graph({ answer, by, sizes, search, open, onOpen }) {
  const place = useRef(null);
  const graph = useRef(null);
  useEffect(() => {
    const cy = begun(place.current, by);
    graph.current = cy;
    cy.on("tap", (event) => onOpen(event.target === cy ? "" : event.target.id()));
    const scheme = matchMedia("(prefers-color-scheme: dark)");
    const restyle = () => cy.style(styleNow());
    scheme.addEventListener("change", restyle);
    const observer = new ResizeObserver(() => cy.resize());
    observer.observe(place.current);
    return () => {
      observer.disconnect();
      scheme.removeEventListener("change", restyle);
      cy.destroy();
    };
  }, [by]);
  useEffect(() => show(graph.current, by, elementsOf(answer, sizes)), [answer, sizes, by]);
  useEffect(() => mark(graph.current, search, open), [answer, sizes, search, open, by]);
  const label = `graph of ${answer.nodes.length} nodes and ${answer.edges.length} edges: the table has the same`;
  return html`<div class="graph"><div id=${STYLE_ID} ref=${place} class="canvas" role="img" aria-label=${label}></div>
    <button type="button" class="fit" title="Show all of the graph" onClick=${() => graph.current.fit(undefined, MARGIN)}>fit</button></div>`;
}

function begun(container, by) {
  const cy = cytoscape({ container, style: styleNow(), minZoom: 0.05, maxZoom: 4, boxSelectionEnabled: false, selectionType: "single" });
  cy.on("dragpan scrollzoom pinchzoom", () => cy.scratch("_moved", true));
  cy.on("dragfree", "node", ({ target }) => placesOf(by).set(target.id(), { ...target.position() }));
  return cy;
}

/* Have the graph show these elements: those that are there already stay where they are. */
function show(cy, by, elements) {
  const isFirst = cy.nodes().length === 0;
  cy.batch(() => {
    const wanted = new Set(elements.map(({ data }) => data.id));
    cy.elements().filter((one) => !wanted.has(one.id())).remove();
    const places = placesOf(by);
    for (const element of elements) {
      const there = cy.getElementById(element.data.id);
      if (there.nonempty()) there.data(element.data).classes(element.classes);
      else cy.add({ ...element, position: { ...places.get(element.data.id) } });
    }
  });
  const isNew = layOut(cy, by);
  if (isFirst || (isNew && !cy.scratch("_moved"))) cy.fit(undefined, MARGIN);
}

function elementsOf(answer, sizes) {
  const lacking = new Set(answer.edges.flatMap((edge) => (edge.missing.length ? [idOf(edge.client_kind, edge.client), idOf(edge.server_kind, edge.server)] : [])));
  const most = Math.max(1, ...sizes.values());
  const widest = Math.max(1, ...answer.edges.map(bytesOf));
  const isLarge = answer.nodes.length > FEW;
  const nodes = answer.nodes.map(({ kind, name }) => {
    const id = idOf(kind, name);
    const size = LEAST + (LARGEST - LEAST) * Math.sqrt((sizes.get(id) ?? 0) / most);
    return { group: "nodes", data: { id, size, font: FONT + (isLarge ? LARGE_FONT * (size / LARGEST) ** 3 : 0), label: cut(name || "(none)") }, classes: [kind === answer.by ? "own" : kind, lacking.has(id) && "missing"].filter(Boolean).join(" ") };
  });
  const isFew = answer.edges.length <= FEW;
  const edges = answer.edges.map((edge) => ({
    group: "edges",
    data: {
      id: edgeId(edge), source: idOf(edge.client_kind, edge.client), target: idOf(edge.server_kind, edge.server),
      width: (edge.failed_connects ? LEAST_FAILED : 1) + 5 * Math.sqrt(bytesOf(edge) / widest), label: isFew ? labelOf(edge) : "",
    },
    classes: [edge.failed_connects && "failed", edge.missing.length && "missing", !edge.counted && "uncounted", edge.differs_bytes && "differs"].filter(Boolean).join(" "),
  }));
  return [...nodes, ...edges];
}

const bytesOf = (edge) => Math.max(0, edge.tx_bytes + edge.rx_bytes);
const labelOf = (edge) => `${edge.differs_bytes ? "≠ " : ""}${si(edge.rates.tx_bytes + edge.rates.rx_bytes, "B")}/s`;

function cut(text) {
  return text.length <= LONGEST ? text : `${text.slice(0, LONGEST / 2)}…${text.slice(1 - LONGEST / 2)}`;
}

/* Dim what is not searched for, and mark what is open. */
function mark(cy, search, open) {
  const wanted = search.toLowerCase();
  cy.batch(() => {
    cy.elements().removeClass("dim open");
    if (wanted) {
      const found = cy.nodes().filter((node) => JSON.parse(node.id())[1].toLowerCase().includes(wanted));
      cy.elements().not(found.closedNeighborhood()).addClass("dim");
    }
    if (open) cy.getElementById(open).addClass("open");
  });
}

function styleNow() {
  const colors = getComputedStyle(document.documentElement);
  const of = (name) => colors.getPropertyValue(`--${name}`).trim();
  return [
    { selector: "node", style: {
      width: "data(size)", height: "data(size)", label: "data(label)", "background-color": of("spark"), color: of("text"), "font-size": "data(font)",
      "font-family": "system-ui, sans-serif", "text-valign": "bottom", "text-margin-y": 3, "min-zoomed-font-size": 8,
      "text-background-color": of("page"), "text-background-opacity": 0.75, "text-background-padding": 1, "border-width": 1, "border-color": of("page") } },
    { selector: "node.outside", style: { shape: "diamond", "background-color": of("muted") } },
    { selector: "node.machine", style: { shape: "rectangle", "background-color": of("muted") } },
    { selector: "node.shared, node.other", style: { "background-color": of("page"), "border-style": "dashed", "border-width": 1.5, "border-color": of("muted") } },
    { selector: "node.missing", style: { "background-image": HATCH, "background-repeat": "repeat", "background-fit": "none", "background-clip": "node" } },
    { selector: "edge", style: {
      width: "data(width)", "line-color": of("faint"), "target-arrow-color": of("faint"), "target-arrow-shape": "triangle", "arrow-scale": 0.9,
      "curve-style": "bezier", label: "data(label)", color: of("muted"), "font-size": 10, "min-zoomed-font-size": 7, "text-background-color": of("page"),
      "text-background-opacity": 0.85, "text-background-padding": 1, "line-opacity": 0.75 } },
    { selector: "edge.uncounted", style: { "line-style": "dotted", "line-opacity": 0.5 } },
    { selector: "edge.missing", style: { "line-style": "dashed" } },
    { selector: "edge.failed", style: { "line-color": of("bad"), "target-arrow-color": of("bad"), "line-opacity": 1 } },
    { selector: ".dim", style: { opacity: 0.15 } },
    { selector: "node.open", style: { "border-width": 3, "border-color": of("accent") } },
    { selector: "edge.open", style: { "line-color": of("accent"), "target-arrow-color": of("accent"), "line-opacity": 1 } },
  ];
}
