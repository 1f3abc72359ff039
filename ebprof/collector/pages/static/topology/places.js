/* Where nodes stand. A node that has a place keeps it: what is new is laid out around those. */

import cytoscape from "../vendor/cytoscape.js";
import "../vendor/layout-base.js";
import "../vendor/cose-base.js";
import "../vendor/fcose.js";

cytoscape.use(globalThis.cytoscapeFcose);

const AROUND = 120;
/* Names need room, but in a graph of many nodes few of them are shown. */
const MANY = 80;
const MOST_STRETCH = 3;
/* Places by what nodes are values of: of services, of machines, … They stay until the page is loaded anew. */
const known = new Map();

export { cytoscape };

/* The places that nodes have had, by their IDs. */
export function placesOf(by) {
  if (!known.has(by)) known.set(by, new Map());
  return known.get(by);
}

/* Lay out what has no place yet; returns whether there was any. */
export function layOut(cy, by) {
  const places = placesOf(by);
  const nodes = cy.nodes().toArray();
  const fresh = nodes.filter((node) => !places.has(node.id()));
  if (!fresh.length) return false;
  const fixed = nodes.filter((node) => places.has(node.id()));
  if (fixed.length) add(cy, fresh, fixed, places);
  else begin(cy);
  for (const node of fresh) places.set(node.id(), { ...node.position() });
  return true;
}

function options(cy) {
  const isLarge = cy.nodes().length > MANY;
  return {
    name: "fcose", animate: false, fit: false, quality: "default", packComponents: false,
    nodeDimensionsIncludeLabels: !isLarge, idealEdgeLength: isLarge ? 80 : 130, nodeRepulsion: isLarge ? 6000 : 9000,
  };
}

/* The first layout of a graph: edges point to the right on the whole, and it is as wide as there is room. */
function begin(cy) {
  sown(() => cy.layout({ ...options(cy), randomize: true }).run());
  const nodes = cy.nodes().toArray();
  const ways = cy.edges().toArray().map((edge) => [edge.source().position(), edge.target().position()]);
  const sum = (of) => ways.reduce((all, [from, to]) => all + of(to) - of(from), 0);
  const turn = -Math.atan2(sum(({ y }) => y), sum(({ x }) => x));
  const turned = nodes.map((node) => {
    const { x, y } = node.position();
    return { x: x * Math.cos(turn) - y * Math.sin(turn), y: x * Math.sin(turn) + y * Math.cos(turn) };
  });
  const span = (key) => Math.max(1, ...turned.map((one) => one[key])) - Math.min(0, ...turned.map((one) => one[key]));
  const stretch = Math.min(MOST_STRETCH, Math.max(1, (cy.width() / cy.height()) * (span("y") / span("x"))));
  nodes.forEach((node, at) => node.position({ x: turned[at].x * stretch, y: turned[at].y }));
}

/* New nodes begin near one that they talk to; the others stay. */
function add(cy, fresh, fixed, places) {
  for (const node of fresh) {
    const other = node.neighborhood().nodes().toArray().find((one) => places.has(one.id())) ?? fixed[0];
    const { x, y } = places.get(other.id());
    const turn = hash(node.id()) % 360;
    node.position({ x: x + AROUND * Math.cos(turn), y: y + AROUND * Math.sin(turn) });
  }
  const fixedNodeConstraint = fixed.map((node) => ({ nodeId: node.id(), position: places.get(node.id()) }));
  sown(() => cy.layout({ ...options(cy), randomize: false, fixedNodeConstraint }).run());
  for (const node of fixed) node.position(places.get(node.id()));
}

/* The same numbers by chance each time, so that the same graph looks the same. */
function sown(run) {
  const { random } = Math;
  let last = 1;
  Math.random = () => {
    last = (last * 48_271) % 2_147_483_647;
    return last / 2_147_483_647;
  };
  try {
    run();
  } finally {
    Math.random = random;
  }
}

const hash = (text) => [...text].reduce((sum, one) => (sum * 31 + one.codePointAt(0)) % 1_000_003, 7);
