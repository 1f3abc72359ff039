/* Who talks to whom, by any keys, and since when. */

import { path, useAnswer } from "./api.js";
import { html, useMemo } from "./html.js";
import { digits, exact, si } from "./numbers.js";
import { Answer, Command, Link, Name, Spark } from "./parts.js";
import { format, having, valueOf } from "./selectors.js";
import { lead } from "./state.js";
import { Table } from "./table.js";
import { aligned, Timeline } from "./timeline.js";
import { momentText, rangeOf, stepOf, utcText } from "./times.js";

/* What is asked most: a name, keys, and the end that it is seen from. */
const PIVOTS = [
  ["services", "service,peer_service", ""],
  ["callers", "peer_service,peer_process,peer_pid,peer,node", "server"],
  ["callees", "peer_service,peer_process,peer_pid,peer,port,node", "client"],
  ["processes", "process,pid,service,node,role", ""],
  ["ports", "service,port,role", ""],
  ["nodes", "node,role", ""],
];
const KEYS = [
  "service", "process", "pid", "node", "container", "pod", "cgroup", "unit", "role", "peer_service",
  "peer_process", "peer_pid", "peer_container", "peer_pod", "peer", "local", "port", "family",
];
const BYTES = [1, 2];

export function Traffic({ store, state, turn }) {
  const { from, to } = state;
  const [start, end] = rangeOf(state);
  const step = stepOf((end - start) * 2);
  const query = state.role ? having(state.query, "role", state.role) : state.query;
  const by = state.by;
  const found = useAnswer(path("flows", { from, to, query, by }), turn);
  const rows = found.data?.rows ?? [];
  const isFew = found.data && rows.length > 0 && rows.length <= 1000;
  const series = useAnswer(isFew ? path("flows/series", { from, to, query, by, step: `${step}s` }) : "", turn);
  const keys = by.split(",");
  const over = useMemo(() => series.data && overTime(series.data, keys), [series.data]);
  const plot = useMemo(() => over && aligned(over.answer, "name"), [over]);
  const wanted = state.search.toLowerCase();
  const shown = rows.filter((row) => keys.some((key) => String(row[key] ?? "").toLowerCase().includes(wanted)));
  return html`
    <div class="own"><h1>Traffic</h1><${Pivots} store=${store} state=${state} />
      <span class="sum">${found.data && `${shown.length} rows`}</span><${Ways} store=${store} state=${state} /></div>
    ${plot && html`<${Timeline} found=${plot} unit="bytes" gaps=${[]} onRange=${(patch) => store.set(patch)} label="bytes over time" />`}
    <${Answer} found=${found} isEmpty=${rows.length === 0} empty=${html`<${Nothing} store=${store} state=${state} />`}>
      ${found.data && html`<${Table} columns=${columnsOf(store, state, keys, found.data, shown, over)} rows=${shown} sort=${state.sort || "bytes"}
        onSort=${(sort) => store.set({ sort })} keyOf=${(row) => nameOf(row, keys)} caption="flows" />`}<//>`;
}

const nameOf = (row, keys) => keys.map((key) => row[key] ?? "").join(" ");

/* Series by the names of their rows: bytes of each step, and when it was first seen. */
function overTime(answer, keys) {
  const rows = answer.rows.map((row) => ({
    labels: { name: nameOf(row, keys) }, points: row.points.map((point) => [point[0], BYTES.reduce((sum, at) => sum + point[at], 0)]),
  }));
  const sparks = new Map(aligned({ ...answer, rows: rows.slice(0, 1) }, "name").times.length ? rows.map((row) => [row.labels.name, row.points]) : []);
  return { answer: { ...answer, rows }, sparks };
}

function Pivots({ store, state }) {
  const keys = state.by.split(",");
  const toggle = (key) => {
    const next = keys.includes(key) ? keys.filter((one) => one !== key) : [...keys, key];
    if (next.length) store.set({ by: next.join(",") });
  };
  return html`<span class="views pivots" role="group" aria-label="pivots">${PIVOTS.map(([name, by, role]) => html`<button key=${name} type="button"
      aria-pressed=${state.by === by && state.role === role} onClick=${() => store.set({ by, role, sort: "" })}>${name}</button>`)}</span>
    <details><summary>by ${state.by.replaceAll(",", ", ")}${state.role && ` as ${state.role}`}</summary><div class="panel keys-of">
      ${KEYS.map((key) => html`<label key=${key}><input type="checkbox" checked=${keys.includes(key)} onChange=${() => toggle(key)} />${key}</label>`)}
    </div></details>`;
}

function Ways({ store, state }) {
  const service = valueOf(state.query, "service") || valueOf(state.query, "service_name");
  if (!service) return null;
  const query = format([{ name: "service_name", operator: "=", value: service }]);
  return html`<span class="ways"><${Link} store=${store} to=${lead(state, "profiles", { query })}>profile of ${service}<//></span>`;
}

/* Where a value leads: a service or process to its own flows. */
function cellOf(store, state, key, row) {
  const value = row[key];
  if (value === null || value === "") return html`<span class="none">–</span>`;
  const text = String(value);
  const own = key.replace(/^peer_/, "");
  if (!["service", "process", "node", "pid"].includes(own) || text.startsWith("~")) return html`<${Name} text=${text} />`;
  const query = key === own ? having(state.query, own, text) : format([{ name: own, operator: "=", value: text }]);
  return html`<${Link} class="row" store=${store} to=${{ ...state, query, role: key === own ? state.role : "", search: "" }}><${Name} text=${text} /><//>`;
}

function columnsOf(store, state, keys, answer, rows, over) {
  const length = (Date.parse(answer.to) - Date.parse(answer.from)) / 1000;
  const most = (value) => Math.max(1, ...rows.map(value));
  const both = (row) => row.tx_bytes + row.rx_bytes;
  const column = (key, label, title, value, cell, extra = {}) => ({ key, label, title, isNumber: true, value, cell, ...extra });
  const bytes = (key, label, title) => {
    const largest = most((row) => row[key]);
    return column(key, label, title, (row) => row[key], (row) => si(row[key] / length, "B"), { hover: (row) => exact(row[key], "bytes in all"), share: (row) => row[key] / largest });
  };
  const each = (key, label, title) => column(key, label, title, (row) => row[key], (row) => si(row[key] / length), { hover: (row) => `${exact(row[key])} in all` });
  return [
    ...keys.map((key) => ({ key, label: key.toUpperCase().replaceAll("_", " "), isNumber: false, value: (row) => row[key] ?? "", cell: (row) => cellOf(store, state, key, row) })),
    bytes("rx_bytes", "IN /s", "bytes received a second"), bytes("tx_bytes", "OUT /s", "bytes sent a second"),
    column("bytes", "BYTES", "bytes both ways, in all", both, (row) => si(both(row), "B"), { hover: (row) => exact(both(row), "bytes") }),
    { key: "spark", label: "", className: "sparks", cell: (row) => over && html`<${Spark} points=${(over.sparks.get(nameOf(row, keys)) ?? []).map(([, value]) => value)} title="bytes over time" />` },
    column("calls", "CALLS /s", "calls of send and receive a second", (row) => row.tx_calls + row.rx_calls, (row) => si((row.tx_calls + row.rx_calls) / length)),
    each("connections", "CONN /s", "connections begun or taken a second"),
    column("failed_connects", "FAILED", "connections that were not made, in all", (row) => row.failed_connects,
      (row) => html`<span class=${row.failed_connects ? "bad" : ""}>${si(row.failed_connects)}</span>`,
      { hover: (row) => Object.entries(row.connect_errors).map(([name, count]) => `${name}: ${count}`).join("\n") }),
    column("retransmits", "RETRANS", "segments sent again, in all", (row) => row.retransmits, (row) => si(row.retransmits)),
    column("rtt_us", "RTT", "round trip, as the kernel measures it", (row) => row.rtt_us, (row) => `${digits(row.rtt_us / 1000)} ms`),
    { key: "since", label: "SINCE", title: "when it was first seen in the range", isNumber: true, value: (row) => sinceOf(row, keys, over, answer), cell: (row) => sinceText(sinceOf(row, keys, over, answer)),
      hover: (row) => { const at = sinceOf(row, keys, over, answer); return at ? utcText(at) : ""; } },
  ];
}

/* When a row's first bytes were, unless that is how the range begins. */
function sinceOf(row, keys, over, { from }) {
  const first = over?.sparks.get(nameOf(row, keys))?.[0]?.[0];
  if (!first) return null;
  return first > Date.parse(from) / 1000 + 2 * over.answer.step ? first : 0;
}

const sinceText = (at) => (at ? html`${momentText(at)} <b class="new">new</b>` : html`<span class="none">before</span>`);

function Nothing({ store, state }) {
  return html`<div class="empty"><p>Nothing that is selected moved in this range.</p>
    <p>${(state.query || state.role) && html`<${Link} store=${store} to=${{ ...state, query: "", role: "" }}>Select all<//>, or `}
    agents count traffic where the kernel lets them:</p><${Command} text="ebprof doctor" />
    <${Command} text=${`ebprof agent --collector ${location.origin}`} /></div>`;
}

