/* The start: what each service uses and moves. */

import { path, useAnswer } from "./api.js";
import { Changes } from "./changes.js";
import { html } from "./html.js";
import { digits, exact, nanoseconds, si } from "./numbers.js";
import { Answer, Command, Link, Name, Spark } from "./parts.js";
import { having } from "./selectors.js";
import { lead } from "./state.js";
import { Table } from "./table.js";

const PREFERRED = ["service", "node", "namespace", "pod", "container_id", "process"];

export function Services({ store, state, turn, slowTurn }) {
  const found = useAnswer(path("services", { from: state.from, to: state.to, query: state.query, by: state.by }), turn);
  const labels = useAnswer(path("labels", { from: state.from, to: state.to }), 0);
  const rows = found.data?.rows ?? [];
  const wanted = state.search.toLowerCase();
  const shown = rows.filter((row) => row[state.by].toLowerCase().includes(wanted));
  return html`
    <div class="own"><h1>Services</h1><${By} store=${store} state=${state} names=${labels.data?.rows ?? []} />
      <span class="sum">${found.data && summary(shown, rows, lengthOf(found.data))}</span></div>
    ${rows.length > 0 && html`<${Changes} store=${store} state=${state} turn=${slowTurn} />`}
    <${Answer} found=${found} isEmpty=${rows.length === 0} empty=${html`<${Nothing} store=${store} state=${state} />`}>
      <${Table} columns=${columnsOf(store, state, shown, found.data)} rows=${shown} sort=${state.sort || "cpu"}
        onSort=${(sort) => store.set({ sort })} keyOf=${(row) => row[state.by]} caption="services" />
    <//>`;
}

const lengthOf = ({ from, to }) => (Date.parse(to) - Date.parse(from)) / 1000;

function By({ store, state, names }) {
  const others = names.filter((one) => one !== "service_name" && one !== "__name__");
  const sorted = ["service", ...PREFERRED.filter((one) => others.includes(one)), ...others.filter((one) => !PREFERRED.includes(one))];
  return html`<label>by <select value=${state.by} onChange=${(event) => store.set({ by: event.target.value })}>
    ${[...new Set([...sorted, state.by])].map((one) => html`<option key=${one} value=${one}>${one}</option>`)}</select></label>`;
}

function summary(shown, rows, length) {
  const cores = shown.reduce((sum, row) => sum + row.cpu, 0) / 1e9 / length;
  const count = shown.length === rows.length ? `${rows.length}` : `${shown.length} of ${rows.length}`;
  return `${count}, ${digits(cores)} cores`;
}

function columnsOf(store, state, rows, answer) {
  if (!answer) return [];
  const length = lengthOf(answer);
  const most = Object.fromEntries(["cpu", "rx_bytes", "tx_bytes"].map((key) => [key, Math.max(1, ...rows.map((row) => row[key] ?? 0))]));
  const query = (row) => having(state.query, state.by === "service" ? "service_name" : state.by, row[state.by]);
  const flowQuery = (row) => having(state.query, state.by, row[state.by]);
  const number = (key, label, title, unit, extra = {}) => ({
    key, label, title, isNumber: true, value: (row) => row[key],
    cell: (row) => si(row[key] / length, unit), hover: (row) => `${exact(row[key])} in all`, ...extra,
  });
  const linked = (column, page) => ({
    ...column,
    cell: (row) => html`<${Link} store=${store} tabindex="-1" to=${lead(state, page, { query: page === "traffic" ? flowQuery(row) : query(row) })}>${si(row[column.key] / length, column.unit)}<//>`,
  });
  return [
    { key: "name", label: state.by.toUpperCase(), value: (row) => row[state.by],
      cell: (row) => html`<${Link} class="row" store=${store} to=${lead(state, "profiles", { query: query(row) })}><${Name} text=${row[state.by]} /><//>` },
    number("cpu", "CPU cores", "CPU time a second", "", {
      cell: (row) => digits(row.cpu / 1e9 / length), hover: (row) => `${nanoseconds(row.cpu)} of CPU`, share: (row) => row.cpu / most.cpu }),
    { key: "cpu-points", label: "", className: "sparks", cell: (row) => html`<${Spark} points=${row.cpu_points} title="CPU over time" />` },
    linked({ ...number("rx_bytes", "IN /s", "bytes received a second"), unit: "B", share: (row) => (row.rx_bytes ?? 0) / most.rx_bytes }, "traffic"),
    linked({ ...number("tx_bytes", "OUT /s", "bytes sent a second"), unit: "B", share: (row) => (row.tx_bytes ?? 0) / most.tx_bytes }, "traffic"),
    { key: "byte-points", label: "", className: "sparks", cell: (row) => row.byte_points && html`<${Spark} points=${row.byte_points} title="bytes over time" />` },
    number("connections", "CONN /s", "connections begun or taken a second"),
    number("failed_connects", "FAILED", "connections that were not made, in all", "", {
      cell: (row) => html`<span class=${row.failed_connects ? "bad" : ""}>${si(row.failed_connects)}</span>` }),
    number("retransmits", "RETRANS", "segments sent again, in all", "", { cell: (row) => si(row.retransmits) }),
  ];
}

function Nothing({ store, state }) {
  return html`<div class="empty"><p>Nothing that is selected was pushed in this range.</p>
    ${state.query && html`<p><${Link} store=${store} to=${{ ...state, query: "" }}>Select all<//></p>`}
    <p><${Link} store=${store} to=${{ ...state, from: "now-7d", to: "now", live: "" }}>Look at the last 7 days<//>, or have a node watched:</p>
    <${Command} text=${`ebprof agent --collector ${location.origin}`} /></div>`;
}
