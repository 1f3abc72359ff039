/* Two selections: as one graph of what changed, or side by side. */

import { path, useAnswer } from "./api.js";
import { Flame } from "./flame.js";
import { html, useEffect, useMemo, useState } from "./html.js";
import { rate } from "./numbers.js";
import { Answer, Link } from "./parts.js";
import { comparisonOf, profileOf } from "./profile.js";
import { Choice } from "./profiles.js";
import { Selector } from "./selector.js";
import { lead } from "./state.js";
import { fixed, rangeOf, rangeText, seconds } from "./times.js";

const SIDES = ["left", "right"];
const OURS = /^(ebprof_|lost:)/;

/* Each side as {query, from, to}: what the URL says; without it the range of other pages, and the one before. */
export function sidesOf(state) {
  const [from, to] = rangeOf(state);
  const ranges = { left: fixed(2 * from - to, from), right: fixed(from, to) };
  return Object.fromEntries(SIDES.map((side) => [side, {
    query: state[`${side}_query`] || (state[`${side}_from`] ? "" : state.query),
    from: state[`${side}_from`] || ranges[side].from,
    to: state[`${side}_to`] || ranges[side].to,
  }]));
}

export function Compare({ store, state, turn }) {
  const sides = useMemo(() => sidesOf(state), [state, turn]);
  const { type } = state;
  const types = useAnswer(path("profiles/types", { from: sides.left.from, to: sides.right.to }), 0).data?.rows ?? [];
  const parameters = Object.fromEntries(SIDES.flatMap((side) => Object.entries(sides[side]).map(([name, value]) => [`${side}_${name}`, value])));
  const isBeside = state.beside === "1";
  const found = useAnswer(path("profiles/diff", { type, ...parameters }), turn);
  const comparison = useMemo(() => found.data && comparisonOf(found.data, state.absolute === "1"), [found.data, state.absolute]);
  const set = (side, patch) => store.set({ ...parameters, ...Object.fromEntries(Object.entries(patch).map(([name, value]) => [`${side}_${name}`, value])), zoom: "" });
  const swap = () => store.set(Object.fromEntries(SIDES.flatMap((side, at) => Object.entries(sides[SIDES[1 - at]]).map(([name, value]) => [`${side}_${name}`, value]))));
  const isEmpty = found.data && !found.data.left.total && !found.data.right.total;
  const toggle = (text, name, title) => html`<button type="button" aria-pressed=${state[name] === "1"} title=${title} onClick=${() => store.set({ [name]: state[name] === "1" ? "" : "1" })}>${text}</button>`;
  return html`
    <div class="own"><h1>Compare</h1>
      <${Choice} label="" value=${type} values=${types.map((one) => one.type).filter((one) => !OURS.test(one))} onChange=${(one) => store.set({ type: one, zoom: "" })} />
      ${toggle("a second and node", "absolute", "Compare values of a second and node, not shares of each side's total")}
      ${toggle("side by side", "beside", "A graph of each side")}
      <button type="button" onClick=${swap}>swap ⇄</button></div>
    <div class="sides">${SIDES.map((side) => html`<${Side} key=${side} ...${{ store, state, side, selection: sides[side], answer: found.data, set }} />`)}</div>
    <${Answer} found=${found} isEmpty=${isEmpty} empty=${html`<div class="empty"><p>Neither side has samples of ${type}.</p></div>`}>
      ${isBeside ? html`<div class="beside">${SIDES.map((side) => html`<${Own} key=${side} ...${{ store, state, turn, selection: sides[side], isKeyed: side === "left" }} />`)}</div>`
        : comparison && html`<${Flame} store=${store} state=${state} profile=${comparison} />`}<//>`;
}

/* One side: what it selects, what it had, and its own graph a click away. */
function Side({ store, state, side, selection, answer, set }) {
  const { query, from, to } = selection;
  const own = answer?.[side];
  const length = own && (Date.parse(own.to) - Date.parse(own.from)) / 1000;
  return html`<section class="side" aria-label=${side}><b>${side}</b>
    <${Selector} state=${{ ...state, from, to }} label=${`selector of the ${side} side`} value=${query} onChange=${(one) => set(side, { query: one, from, to })} />
    <${Moment} label=${`${side} from`} value=${from} onChange=${(one) => set(side, { query, from: one, to })} />
    <${Moment} label=${`${side} to`} value=${to} onChange=${(one) => set(side, { query, from, to: one })} />
    <span class="sum">${rangeText(selection)}${own && ` · ${rate(own.total, answer.unit, length)}, ${own.nodes} node${own.nodes === 1 ? "" : "s"}`}</span>
    <${Link} store=${store} to=${lead({ ...state, query, from, to, live: "" }, "profiles", { type: state.type })}>${side} graph ▸<//></section>`;
}

function Moment({ label, value, onChange }) {
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const isWrong = Number.isNaN(seconds(text));
  const commit = () => { if (!isWrong && text !== value) onChange(text); };
  return html`<input class="moment" aria-label=${label} value=${text} spellcheck=${false} aria-invalid=${isWrong}
    onInput=${(event) => setText(event.target.value)} onBlur=${commit} onKeyDown=${(event) => event.key === "Enter" && commit()} />`;
}

function Own({ store, state, turn, selection, isKeyed }) {
  const found = useAnswer(path("profiles/flamegraph", { type: state.type, ...selection, format: "columns" }), turn);
  const profile = useMemo(() => found.data && profileOf(found.data), [found.data]);
  return html`<${Answer} found=${found} isEmpty=${found.data?.total === 0} empty=${html`<p class="empty">no samples</p>`}>
    ${profile && html`<${Flame} ...${{ store, profile, isKeyed }} state=${{ ...state, view: state.view === "table" ? "flame" : state.view }} />`}<//>`;
}
