/* What is said of one edge, or of one node: in place, with ways on. */

import { html } from "../html.js";
import { digits, exact, si } from "../numbers.js";
import { Link, Name } from "../parts.js";
import { format, having } from "../selectors.js";
import { lead } from "../state.js";
import { edgeId, idOf } from "./graph.js";

const REASONS = {
  missing_windows: "windows of one side are missing",
  one_side_away: "one side's agent did not see them for part of the range",
  translated: "addresses are translated on the way",
  unknown: "nobody knows why",
};
const KINDS = {
  outside: "no agent is on these addresses",
  machine: "a node with an agent: nobody saw the process",
  shared: "several have this address, and this side cannot tell which of them it was",
  other: "all that are too small to be shown",
};
const FIGURES = [
  ["tx_bytes", "to the server", (value) => si(value, "B"), "bytes from the client to the server"],
  ["rx_bytes", "to the client", (value) => si(value, "B"), "bytes from the server to the client"],
  ["connections", "connections", (value) => si(value), "begun or taken"],
  ["failed_connects", "failed", (value) => si(value), "connections that were not made"],
  ["retransmits", "sent again", (value) => si(value), "segments that a side itself sent again"],
  ["rtt_us", "round trip", (value) => (value === null ? "–" : `${digits(value / 1000)} ms`), "as the kernel measures it"],
];
/* What profiles call a label that flows call otherwise. */
const LABELS = { service: "service_name", container: "container_id", pod: "pod_uid" };

export function Panel({ store, state, answer, open, onOpen }) {
  const edge = answer.edges.find((one) => edgeId(one) === open);
  const node = answer.nodes.find((one) => idOf(one.kind, one.name) === open);
  if (!edge && !node) return null;
  const name = edge ? html`<${Name} text=${edge.client} /> → <${Name} text=${edge.server} />` : html`<${Name} text=${node.name} />`;
  return html`<section class="facts" aria-label=${edge ? "edge" : "node"}>
    <h2>${name}<button type="button" class="close" aria-label="close" onClick=${() => onOpen("")}>×</button></h2>
    ${edge ? html`<${EdgeFacts} ...${{ store, state, answer, edge, onOpen }} />` : html`<${NodeFacts} ...${{ store, state, answer, node, onOpen }} />`}
  </section>`;
}

function EdgeFacts({ store, state, answer, edge, onOpen }) {
  const sides = [["edge", edge], ["client's side", edge.client_side], ["server's side", edge.server_side]];
  const ends = [["client", edge.client_kind, edge.client], ["server", edge.server_kind, edge.server]];
  return html`
    <table class="sides-of"><caption class="hidden">what each side saw</caption>
      <thead><tr><th></th>${sides.map(([label]) => html`<th key=${label} scope="col" class="number">${label}</th>`)}</tr></thead>
      <tbody>${FIGURES.map(([key, label, text, title]) => html`<tr key=${key}><th scope="row" title=${title}>${label}</th>${sides.map(([of, side]) =>
        html`<td key=${of} class="number" title=${side && side[key] !== null ? exact(side[key]) : "not seen"}>${side ? text(side[key]) : html`<span class="none">not seen</span>`}</td>`)}</tr>`)}</tbody></table>
    <${Notes} edge=${edge} />
    ${ends.map(([side, kind, name]) => html`<p key=${side}><button type="button" onClick=${() => onOpen(idOf(kind, name))}>${side}: <${Name} text=${name} /></button>
      <${Ways} ...${{ store, state, by: answer.by, kind, name, role: side }} /></p>`)}`;
}

function Notes({ edge }) {
  const found = [];
  const errors = Object.entries(edge.connect_errors).map(([name, count]) => `${name}: ${count}`);
  if (errors.length) found.push(html`<span class="bad">${errors.join(", ")}</span>`);
  if (edge.differs_bytes) found.push(`≠ the client's side saw ${si(Math.abs(edge.differs_bytes), "B")} ${edge.differs_bytes > 0 ? "more" : "less"}: ${REASONS[edge.differs_because]}`);
  if (edge.missing.length) found.push(`windows are missing of node ${edge.missing.join(", ")}`);
  if (edge.translated && edge.differs_because !== "translated") found.push("one side does not see the other's own address");
  if (!edge.counted) found.push("another edge has the same bytes: this one is in no sum");
  if (edge.seen_by !== "both") found.push(`only the ${edge.seen_by}'s side saw it`);
  for (const kind of [edge.client_kind, edge.server_kind]) if (KINDS[kind]) found.push(KINDS[kind]);
  return html`<ul class="said">${found.map((text, at) => html`<li key=${at}>${text}</li>`)}</ul>`;
}

function NodeFacts({ store, state, answer, node, onOpen }) {
  const { kind, name } = node;
  const edges = answer.edges.filter((one) => (one.client_kind === kind && one.client === name) || (one.server_kind === kind && one.server === name));
  return html`<p>${si(node.rx_bytes, "B")} in, ${si(node.tx_bytes, "B")} out${KINDS[kind] && html`; ${KINDS[kind]}`}</p>
    <p><${Ways} ...${{ store, state, by: answer.by, kind, name, role: "" }} /></p>
    <ul class="edges-of">${edges.slice(0, 100).map((one) => {
      const isCaller = one.client === name && one.client_kind === kind;
      return html`<li key=${edgeId(one)}><button type="button" onClick=${() => onOpen(edgeId(one))}>${isCaller ? "→ " : "← "}<${Name} text=${isCaller ? one.server : one.client} most=${28} /></button>
        <span class=${one.failed_connects ? "bad" : ""}>${si(one.rates.tx_bytes + one.rates.rx_bytes, "B")}/s${one.failed_connects ? `, ${si(one.failed_connects)} failed` : ""}</span></li>`;
    })}</ul>`;
}

/* Where an end leads: to its flows, its profile, and what is around it. */
function Ways({ store, state, by, kind, name, role }) {
  if (kind !== by || !name) return null;
  const label = by.replace("service_name", "service");
  const flows = format([{ name: label, operator: "=", value: name }]);
  const profile = format([{ name: LABELS[label] ?? label, operator: "=", value: name }]);
  const keys = role === "client" ? "peer_service,peer,port" : role === "server" ? "peer_service,peer" : `${label},peer_service,role`;
  return html`<span class="ways"><${Link} store=${store} to=${lead(state, "traffic", { query: flows, by: keys, role })}>traffic ▸<//>
    <${Link} store=${store} to=${lead(state, "profiles", { query: profile })}>profile ▸<//>
    <${Link} store=${store} to=${{ ...state, query: having(state.query, label, name) }}>only its edges<//></span>`;
}
