/* Who talks to whom as a graph, and the same edges as a table. */

import { path, useAnswer } from "../api.js";
import { html, useMemo } from "../html.js";
import { digits, exact, si } from "../numbers.js";
import { Answer, Command, Link, Name } from "../parts.js";
import { Table } from "../table.js";
import { edgeId, Graph, idOf } from "./graph.js";
import { Panel } from "./panel.js";

const BY = ["service", "process", "node", "container", "pod", "cgroup", "unit"];
/* What has CPU time by the same name. */
const MEASURED = ["service", "process", "node"];
const SIZES = [["bytes", "bytes", "nodes by bytes both ways"], ["cpu", "CPU", "nodes by CPU time"]];
const VIEWS = [["both", "graph and table"], ["graph", "graph"], ["table", "table"]];

export function Topology({ store, state, turn }) {
  const { from, to, query, by, search, size, view, open } = state;
  const found = useAnswer(path("topology", { from, to, query, by }), turn);
  const cpu = useAnswer(size === "cpu" && MEASURED.includes(by) ? path("services", { from, to, by }) : "", turn);
  const answer = found.data;
  const sizes = useMemo(() => answer && sizesOf(answer, size === "cpu" ? cpu.data : null), [answer, size, cpu.data]);
  const wanted = search.toLowerCase();
  const rows = answer ? answer.edges.filter((one) => one.client.toLowerCase().includes(wanted) || one.server.toLowerCase().includes(wanted)) : [];
  const onOpen = (id) => store.set({ open: id });
  const parts = { store, state, answer, open, onOpen };
  return html`
    <div class="own"><h1>Topology</h1><${Choices} ...${{ store, state }} />
      <span class="sum">${answer && summary(answer)}</span></div>
    <${Answer} found=${found} isEmpty=${answer?.edges.length === 0} empty=${html`<${Nothing} store=${store} state=${state} />`}>
      ${answer && html`<div class=${`topology ${view}`}>
        ${view !== "table" && html`<div class="drawn"><${Graph} ...${{ answer, by, sizes, search, open, onOpen }} /><${Legend} answer=${answer} /></div>`}
        <${Panel} ...${parts} />
        ${view !== "graph" && html`<${Table} columns=${columnsOf(rows, open, onOpen)} rows=${rows} sort=${state.sort || "bytes"} onSort=${(sort) => store.set({ sort })}
          keyOf=${edgeId} caption="edges" classOf=${(row) => [edgeId(row) === open && "open", row.missing.length && "lacking"].filter(Boolean).join(" ")} />`}
      </div>`}<//>`;
}

function Choices({ store, state }) {
  return html`<label>by <select value=${state.by} onChange=${(event) => store.set({ by: event.target.value, open: "" })}>
      ${[...new Set([...BY, state.by])].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>
    <span class="views" role="group" aria-label="size of nodes">${SIZES.map(([key, label, title]) => html`<button key=${key} type="button" title=${title}
      aria-pressed=${state.size === key} disabled=${key === "cpu" && !MEASURED.includes(state.by)} onClick=${() => store.set({ size: key })}>${label}</button>`)}</span>
    <span class="views" role="group" aria-label="view">${VIEWS.map(([key, label]) => html`<button key=${key} type="button"
      aria-pressed=${state.view === key} onClick=${() => store.set({ view: key })}>${label}</button>`)}</span>`;
}

/* What nodes are as large as, by ID: bytes, or CPU time of the value of that name. */
function sizesOf(answer, cpu) {
  const used = new Map((cpu?.rows ?? []).map((row) => [row[answer.by], row.cpu]));
  return new Map(answer.nodes.map((node) => [
    idOf(node.kind, node.name), cpu ? (node.kind === answer.by ? used.get(node.name) ?? 0 : 0) : Math.max(0, node.tx_bytes + node.rx_bytes),
  ]));
}

function summary({ nodes, edges, total, hidden_nodes: hidden, hidden_edges: more, unplaced }) {
  const bytes = total.tx_bytes + total.rx_bytes;
  const found = [`${nodes.length} nodes, ${edges.length} edges, ${si(bytes, "B")}`];
  if (total.failed_connects) found.push(`${si(total.failed_connects)} failed`);
  if (hidden || more) found.push(`~other: ${hidden} nodes${more ? `, ${more} edges` : ""}`);
  const lost = unplaced.tx_bytes + unplaced.rx_bytes;
  if (lost > 0) found.push(`${si(lost, "B")} without a role`);
  return found.join("; ");
}

/* What is not plain, of what there is. */
function Legend({ answer }) {
  const kinds = new Set(answer.nodes.map((one) => one.kind));
  const has = (test) => answer.edges.some(test);
  const found = [
    kinds.has("outside") && "◆ outside: no agent", kinds.has("machine") && "■ a node, process unknown", kinds.has("shared") && "~shared: several behind one address",
    has((one) => one.failed_connects) && "red: failed connects", has((one) => one.missing.length) && "hatched, dashed: windows are missing",
    has((one) => !one.counted) && "dotted: counted elsewhere", has((one) => one.differs_bytes) && "≠ sides differ",
  ].filter(Boolean);
  return found.length > 0 && html`<p class="legend">${found.join(" · ")}</p>`;
}

function columnsOf(rows, open, onOpen) {
  const most = Math.max(1, ...rows.map((row) => row.tx_bytes + row.rx_bytes));
  const number = (key, label, title, cell, extra = {}) => ({ key, label, title, isNumber: true, value: (row) => row[key], cell, ...extra });
  const bytes = (key, label, title) => number(key, label, title, (row) => si(row.rates[key], "B"), { hover: (row) => exact(row[key], "bytes in all") });
  const button = (row) => html`<button type="button" class="row" aria-expanded=${edgeId(row) === open} onClick=${() => onOpen(edgeId(row) === open ? "" : edgeId(row))}><${Name} text=${row.client} /></button>`;
  return [
    { key: "client", label: "CLIENT", value: (row) => row.client, cell: button },
    { key: "server", label: "SERVER", value: (row) => row.server, cell: (row) => html`<${Name} text=${row.server} />` },
    bytes("tx_bytes", "→ /s", "bytes to the server a second"), bytes("rx_bytes", "← /s", "bytes to the client a second"),
    number("bytes", "BYTES", "bytes both ways, in all", (row) => si(row.tx_bytes + row.rx_bytes, "B"),
      { value: (row) => row.tx_bytes + row.rx_bytes, hover: (row) => exact(row.tx_bytes + row.rx_bytes, "bytes"), share: (row) => (row.tx_bytes + row.rx_bytes) / most }),
    number("connections", "CONN /s", "connections a second", (row) => si(row.rates.connections), { hover: (row) => `${exact(row.connections)} in all` }),
    number("failed_connects", "FAILED", "connections that were not made, in all", (row) => html`<span class=${row.failed_connects ? "bad" : ""}>${si(row.failed_connects)}</span>`),
    number("retransmits", "RETRANS", "segments sent again, in all", (row) => si(row.retransmits)),
    number("rtt_us", "RTT", "round trip, as the kernel measures it", (row) => `${digits(row.rtt_us / 1000)} ms`),
    { key: "seen_by", label: "SEEN BY", value: (row) => row.seen_by, cell: (row) => `${row.seen_by}${row.differs_bytes ? " ≠" : ""}${row.counted ? "" : ", counted elsewhere"}` },
  ];
}

function Nothing({ store, state }) {
  return html`<div class="empty"><p>Nothing that is selected moved in this range.</p>
    <p>${state.query && html`<${Link} store=${store} to=${{ ...state, query: "" }}>Select all<//>. `}Agents count traffic where the kernel lets them:</p>
    <${Command} text="ebprof doctor" /><${Command} text=${`ebprof agent --collector ${location.origin}`} /></div>`;
}
