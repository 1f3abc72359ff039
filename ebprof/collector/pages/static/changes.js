/* What changed in the range against the one before it: the first changes, and all of them on demand. */

import { path, useAnswer } from "./api.js";
import { html } from "./html.js";
import { Link } from "./parts.js";
import { read } from "./state.js";
import { lengthText, momentText, utcText } from "./times.js";

const FIRST = 3;
const UP = ["new", "more"];
/* What the page is called that a change leads to. */
const SHOWN = { traffic: "flows", compare: "diff", profiles: "profile" };

export function Changes({ store, state, turn }) {
  const found = useAnswer(path("changes", { from: state.from, to: state.to, query: state.query }), turn);
  const answer = found.data;
  if (!answer) return html`<p class="changes none">what changed${found.error ? ` is not known: ${found.error.message}` : ""}</p>`;
  const isAll = state.changes === "all";
  const rows = isAll ? answer.rows : answer.rows.slice(0, FIRST);
  const more = answer.rows.length > FIRST;
  return html`<section class=${found.isSlow ? "changes old" : "changes"} aria-label="what changed">
    <div class="head"><h2>${title(answer)}</h2>
      ${more && html`<button type="button" aria-expanded=${isAll}
        onClick=${() => store.set({ changes: isAll ? "" : "all" })}>${isAll ? "fewer" : `all ${answer.rows.length} changes`}</button>`}</div>
    ${answer.notes.map((note) => html`<p key=${note} class="note">${note}</p>`)}
    ${rows.length > 0 && html`<ul>${rows.map((row) => html`<${Row} key=${[row.kind, row.service, row.name, JSON.stringify(row.details)].join()} ...${{ store, row }} />`)}</ul>`}
  </section>`;
}

function title({ from, to, rows, windows }) {
  const length = lengthText((Date.parse(to) - Date.parse(from)) / 1000);
  if (!windows.before || !windows.after) return "what changed is not known";
  return rows.length ? `what changed, against the ${length} before` : `nothing changed against the ${length} before, beyond what varies anyway`;
}

function Row({ store, row }) {
  const isUp = UP.includes(row.fate);
  const to = read(row.link);
  const since = row.since && Date.parse(row.since) / 1000;
  return html`<li>
    <span class=${isUp ? "up" : "down"} role="img" aria-label=${row.fate}>${isUp ? "▲" : "▼"}</span>
    <b class="service">${row.service}</b>
    <span class="text">${row.text}${since ? html`<span class="since" title=${utcText(since)}>, since ${momentText(since)}</span>` : ""}</span>
    <${Link} store=${store} to=${to}>${SHOWN[to.page] ?? to.page} ▸<//></li>`;
}
