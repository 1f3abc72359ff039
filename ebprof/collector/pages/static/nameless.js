/* Samples in functions without a name: how many, in which files, and what would help. */

import { path, useAnswer } from "./api.js";
import { percent } from "./flamegraph/texts.js";
import { html, useState } from "./html.js";
import { Answer, Command, Name } from "./parts.js";
import { Table } from "./table.js";

const LEAST = 0.005;
const MOST_FILES = 20;
const HELD = { dwarf: "DWARF", table: "symbol table", dynamic: "dynamic symbols", none: "no symbols" };
const ID_LENGTH = 12;

export function Nameless({ state, answer }) {
  const [isOpen, setOpen] = useState(false);
  if (!answer?.total || answer.nameless < LEAST * answer.total) return null;
  return html`<details class="nameless" onToggle=${(event) => setOpen(event.target.open)}>
    <summary title="samples in functions without a name">${percent(answer.nameless, answer.total)} without names</summary>
    <div class="panel">${isOpen && html`<${Files} state=${state} />`}</div></details>`;
}

function Files({ state }) {
  const [sort, setSort] = useState("any");
  const { type, query, from, to } = state;
  const found = useAnswer(path("symbols/missing", { type, query, from, to, limit: MOST_FILES }), 0);
  const total = found.data?.total ?? 0;
  return html`<${Answer} found=${found} isEmpty=${found.data?.rows.length === 0} empty=${html`<p>All have names by now.</p>`}>
    <${Table} caption="files whose functions have no names" columns=${columnsOf(total)} rows=${found.data?.rows ?? []}
      sort=${sort} onSort=${setSort} keyOf=${(one) => one.build_id + one.file} /><//>
    <${Command} text=${commandOf(state)} />`;
}

function columnsOf(total) {
  const share = (name) => (row) => row[name] / total;
  const cell = (name) => (row) => percent(row[name], total);
  return [
    { key: "any", label: "ANY", title: "of all samples that have such a function in their stack", isNumber: true, value: share("nameless"), cell: cell("nameless"), share: share("nameless") },
    { key: "self", label: "SELF", title: "of all samples that were taken in one", isNumber: true, value: share("self"), cell: cell("self"), share: share("self") },
    { key: "file", label: "FILE", value: (row) => row.file, cell: (row) => html`<${Name} text=${row.file} />` },
    { key: "id", label: "BUILD ID", value: (row) => row.build_id, cell: (row) => html`<code>${row.build_id.slice(0, ID_LENGTH)}</code>`, hover: (row) => row.build_id },
    { key: "held", label: "THE COLLECTOR HAS", value: heldOf, cell: heldOf },
    { key: "help", label: "WHAT WOULD HELP", value: (row) => row.help, cell: (row) => row.help },
  ];
}

function heldOf({ object, debug }) {
  const found = [object && HELD[object], debug && `${HELD[debug]} (debug file)`].filter(Boolean);
  return found.join(", ") || "nothing";
}

/* The same in a shell; of a range in the past, of the last hour. */
function commandOf({ query, from, to }) {
  const last = to === "now" && from.startsWith("now-") ? ` --last ${from.slice(4)}` : "";
  const selected = query ? ` --query '${query.replace(/'/g, "'\\''")}'` : "";
  return `ebprof symbols missing --collector ${location.origin}${last}${selected}`;
}
