/* What a selection did: over time, and as a flame graph. */

import { path, useAnswer } from "./api.js";
import { Flame } from "./flame.js";
import { percent } from "./flamegraph/texts.js";
import { useGaps } from "./gaps.js";
import { cutOf, Heat } from "./heat.js";
import { html, useMemo } from "./html.js";
import { before } from "./keys.js";
import { rate, amount } from "./numbers.js";
import { Answer, Command, Failure, Link } from "./parts.js";
import { Nameless } from "./nameless.js";
import { profileOf } from "./profile.js";
import { bare, valueOf } from "./selectors.js";
import { lead } from "./state.js";
import { aligned, Timeline } from "./timeline.js";
import { rangeOf, stepOf } from "./times.js";

const FORMATS = { pprof: "profile.pb.gz", folded: "profile.folded", speedscope: "profile.speedscope.json", svg: "profile.svg", html: "profile.html", json: "profile.json" };
const OURS = /^(ebprof_|lost:)/;

export function Profiles({ store, state, turn, slowTurn }) {
  const { from, to, query, type, by } = state;
  const [start, end] = rangeOf(state);
  const step = stepOf(end - start);
  const [column, cell] = cutOf(end - start);
  const types = useAnswer(path("profiles/types", { from, to }), 0).data?.rows ?? [];
  const labels = useAnswer(path("labels", { from, to }), 0).data?.rows ?? [];
  const graph = useAnswer(path("profiles/flamegraph", { type, query, from, to, format: "columns" }), turn);
  const heat = useAnswer(path("profiles/series", { type, query, from, to, step: `${cell}s` }), turn);
  const stacked = useAnswer(by ? path("profiles/series", { type, query, from, to, by, step: `${step}s` }) : "", turn);
  const series = by ? stacked : heat; // without a label, the finer steps of the heat map do
  const gaps = useGaps(state, types, step, slowTurn);
  const profile = useMemo(() => graph.data && profileOf(graph.data), [graph.data]);
  const found = useMemo(() => series.data && aligned(series.data, by, step), [series.data, step]);
  const onRange = (patch) => store.set({ ...patch, zoom: "" });
  const unit = graph.data?.unit ?? "nanoseconds";
  return html`
    <div class="own"><h1>Profiles</h1>
      <${Choice} label="" value=${type} values=${types.map((one) => one.type).filter((one) => !OURS.test(one))} onChange=${(one) => store.set({ type: one, zoom: "" })} />
      <${Choice} label="by" value=${by} values=${["", ...labels.filter((one) => one !== "__name__")]} onChange=${(one) => store.set({ by: one })} />
      <${Summary} answer=${graph.data} /><${More} store=${store} state=${state} answer=${graph.data} /></div>
    ${series.error && !graph.error && html`<${Failure} error=${series.error} />`}
    ${found && html`<${Timeline} found=${found} unit=${unit} gaps=${gaps} onRange=${onRange} label=${`${type} over time`} />`}
    ${heat.data && html`<${Heat} found=${heat.data} column=${column} unit=${unit} onRange=${onRange} />`}
    <${Answer} found=${graph} isEmpty=${graph.data?.total === 0} empty=${html`<${Nothing} store=${store} state=${state} />`}>
      ${profile && html`<${Flame} store=${store} state=${state} profile=${profile} />`}<//>`;
}

export function Choice({ label, value, values, onChange }) {
  const all = values.includes(value) ? values : [value, ...values];
  return html`<label>${label} <select value=${value} aria-label=${label || "type"} onChange=${(event) => onChange(event.target.value)}>
    ${all.map((one) => html`<option key=${one} value=${one}>${one || "–"}</option>`)}</select></label>`;
}

function Summary({ answer }) {
  if (!answer?.total) return null;
  const length = (Date.parse(answer.to) - Date.parse(answer.from)) / 1000;
  const { total, incomplete, unknown, pruned, unit } = answer;
  return html`<span class="sum"><b title=${amount(total, unit)}>${rate(total, unit, length)}</b>
    ${" · "}<span title="stacks that end before their outermost frame stand below [incomplete: REASON]">${percent(total - incomplete, total)} complete</span>
    ${pruned > 0 && html`${" · "}<span title="nodes that are too small to be sent: they are the frames ~pruned">pruned ${percent(pruned, total)}</span>`}
    ${unknown > 0 && html`${" · "}<span class="bad" title="stacks that the store does not know">unknown ${percent(unknown, total)}</span>`}</span>`;
}

/* Ways on: the traffic of the same, the range before, files, the same in a shell. */
function More({ store, state, answer }) {
  const { type, query, from, to } = state;
  const url = (format) => path("profiles/flamegraph", { type, query, from, to, format });
  const shell = `ebprof report '${(location.origin + url("")).replace(/'/g, "%27")}'`;
  const service = valueOf(query, "service_name") || valueOf(query, "service");
  return html`<span class="ways">
    <${Nameless} state=${state} answer=${answer} />
    ${service && html`<${Link} store=${store} to=${lead(state, "traffic")}>traffic of ${service}<//>`}
    <${Link} store=${store} to=${before(state)} title="d">compare with before<//>
    <details><summary>download</summary><div class="panel downloads">${Object.entries(FORMATS).map(([format, name]) =>
      html`<a key=${format} href=${url(format)} download=${`${bare(query).replace(/[^\w.-]+/g, "-").replace(/^-|-$/g, "") || "all"}-${name}`}>${format}</a>`)}</div></details>
    <details><summary>as command</summary><div class="panel"><${Command} text=${shell} /></div></details></span>`;
}

function Nothing({ store, state }) {
  return html`<div class="empty"><p>There are no samples of ${state.type} of what is selected in this range.</p>
    <p>${state.query && html`<${Link} store=${store} to=${{ ...state, query: "" }}>Select all<//>, or `}
      <${Link} store=${store} to=${{ ...state, from: "now-1d", to: "now", live: "" }}>${state.query ? "look" : "Look"} at the last day<//>. Agents push what they are told to watch:</p>
    <${Command} text=${`ebprof agent --collector ${location.origin}`} /></div>`;
}
