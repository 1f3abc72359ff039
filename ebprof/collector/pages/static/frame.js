/* What stands above every page: one line of controls, and what is missing. */

import { path, useAnswer } from "./api.js";
import { html } from "./html.js";
import { HELP } from "./keys.js";
import { Link } from "./parts.js";
import { Range } from "./range.js";
import { Selector } from "./selector.js";
import { lead, PAGES } from "./state.js";
import { momentText, rangeOf, utcText } from "./times.js";

const TITLES = { services: "Services", profiles: "Profiles", compare: "Compare", traffic: "Traffic", topology: "Topology" };
/* An agent that has not pushed for so long, in seconds, is away: windows are of 10 s. */
const AWAY_S = 60;

export function Frame({ store, state, slowTurn, open, setOpen, refresh, fields, children }) {
  return html`
    <header>
      <nav aria-label="Pages"><span class="brand">ebprof</span>
        ${PAGES.map((page) => html`<${Link} key=${page} store=${store} to=${lead(state, page)}
          aria-current=${page === state.page ? "page" : undefined}>${TITLES[page]}<//>`)}</nav>
      <div class="controls">
        ${state.left_from ? html`<button type="button" title="Ask again ( r )" aria-label="refresh" onClick=${refresh}>⟳</button>`
          : html`<${Range} store=${store} state=${state} isOpen=${open === "range"} setOpen=${setOpen} refresh=${refresh} />`}
        ${state.page !== "compare" && html`<${Selector} state=${state} label="selector" value=${state.query}
          fieldRef=${fields.selector} onChange=${(query) => store.set({ query })} />`}
        <input class="search" type="search" ref=${fields.search} value=${state.search} placeholder="search  ( / )"
          aria-label="search" spellcheck=${false} autocomplete="off"
          onInput=${(event) => store.set({ search: event.target.value }, true)} />
        <button type="button" class="ask" aria-label="keys" aria-expanded=${open === "help"} title="Keys ( ? )"
          onClick=${() => setOpen(open === "help" ? "" : "help")}>?</button>
      </div>
      ${open === "help" && html`<${Help} />`}
    </header>
    <${Away} state=${state} turn=${slowTurn} />
    <main>${children}</main>`;
}

function Help() {
  return html`<dl class="panel help" aria-label="Keys">${HELP.map(([keys, text]) =>
    html`<dt key=${keys}>${keys}</dt><dd>${text}</dd>`)}</dl>`;
}

/* Agents that were away at the end of the range, and what others lost. */
function Away({ state, turn }) {
  const found = useAnswer(path("agents", { from: state.from, to: state.to }), turn);
  if (!found.data) return null;
  const end = rangeOf(state)[1];
  const notes = found.data.rows.flatMap((agent) => notesOf(agent, end));
  if (!notes.length) return null;
  return html`<ul class="notes" role="status">${notes.map(({ text, title }) => html`<li key=${text} title=${title}>${text}</li>`)}</ul>`;
}

function notesOf({ node, version, last_push: last, lost_total: lost, missing_windows: missing }, end) {
  const at = Date.parse(last) / 1000;
  const found = [];
  if (version && end - at > AWAY_S) {
    found.push({ text: `node ${node}: nothing since ${momentText(at, true)}`, title: utcText(at) });
  }
  if (missing) found.push({ text: `node ${node}: ${missing} windows are missing`, title: "they were closed by the agent and did not arrive" });
  if (lost) found.push({ text: `node ${node}: ${lost} samples were lost`, title: "the agent could not keep them: see its metrics" });
  return found;
}
