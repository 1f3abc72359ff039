/* The selector's field, which completes labels and their values. */

import { ask, path } from "./api.js";
import { html, useEffect, useRef, useState } from "./html.js";
import { bare, braced } from "./selectors.js";

const MOST = 12;
const FLOW_KEYS = [
  "service", "process", "pid", "node", "container", "pod", "cgroup", "unit", "role", "peer_service",
  "peer_process", "peer_pid", "peer", "local", "port", "family",
];

const isOfFlows = (page) => page === "traffic" || page === "topology";

export function Selector({ state, label, value, onChange, fieldRef }) {
  const [text, setText] = useState(bare(value));
  const [options, setOptions] = useState([]);
  const [at, setAt] = useState(-1);
  const [isOpen, setOpen] = useState(false);
  const own = useRef(null);
  const field = fieldRef ?? own;
  useEffect(() => setText(bare(value)), [value]);
  useEffect(() => {
    if (!isOpen) return undefined;
    const abort = new AbortController();
    complete(state, text, abort.signal).then((found) => {
      if (!abort.signal.aborted) setOptions(found);
    }, () => setOptions([]));
    return () => abort.abort();
  }, [text, isOpen, state.from, state.to, state.page]);

  const commit = (given) => {
    setOpen(false);
    onChange(braced(given));
  };
  const take = (option) => {
    setAt(-1);
    setText(option.whole);
    if (option.isComplete) commit(option.whole);
    field.current.focus();
  };
  const onKeyDown = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && options.length) {
      event.preventDefault();
      setAt((at + step + options.length + 1) % (options.length + 1));
    } else if (event.key === "Enter" || (event.key === "Tab" && at >= 0)) {
      event.preventDefault();
      if (isOpen && options[at]) take(options[at]);
      else commit(text);
    } else if (event.key === "Escape") {
      event.preventDefault();
      setText(bare(value));
      setOpen(false);
      field.current.blur();
    }
  };
  const list = `options-${label}`;
  return html`<div class="selector">
    <input ref=${field} value=${text} spellcheck=${false} autocomplete="off" role="combobox" aria-label=${label}
      aria-expanded=${isOpen && options.length > 0} aria-controls=${list} aria-autocomplete="list"
      aria-activedescendant=${at >= 0 ? `${list}-${at}` : undefined} placeholder="all: service_name=…  ( e )"
      onFocus=${() => setOpen(true)} onBlur=${() => setOpen(false)} onKeyDown=${onKeyDown}
      onInput=${(event) => { setText(event.target.value); setAt(-1); setOpen(true); }} />
    ${text && html`<button type="button" class="clear" aria-label="select all" title="Select all"
      onMouseDown=${(event) => { event.preventDefault(); setText(""); commit(""); }}>×</button>`}
    ${isOpen && options.length > 0 && html`<ul class="panel options" role="listbox" id=${list}>
      ${options.slice(0, MOST + 1).map((one, number) => html`<li key=${one.whole} id=${`${list}-${number}`} role="option"
        aria-selected=${number === at} onMouseDown=${(event) => { event.preventDefault(); take(one); }}>
        ${one.text}<span class="kind">${one.kind}</span></li>`)}</ul>`}
  </div>`;
}

const quoted = (text) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"');

/* What the text may go on with: [{text, kind, whole, isComplete}]. */
async function complete(state, text, signal) {
  const names = await namesOf(state, signal);
  const value = /^(.*?(?:^|,)\s*)([\w.]+)\s*(=~|!~|!=|=)\s*"?([^"]*)$/s.exec(text);
  if (value) {
    const [, head, name, operator, begun] = value;
    if (!names.includes(name)) return [];
    const found = await valuesOf(state, name, signal);
    return matching(found, begun).map((one) => ({
      text: one || "(none)", kind: name, whole: `${head}${name}${operator}"${quoted(one)}"`, isComplete: true,
    }));
  }
  const word = /^(.*?(?:^|,\s*))([\w.-]*)$/s.exec(text);
  if (!word) return [];
  const [, head, begun] = word;
  const found = matching(names, begun).map((one) => ({ text: `${one}=`, kind: "label", whole: `${head}${one}="`, isComplete: false }));
  if (head || !begun || !names.includes(SERVICE(state))) return found;
  const services = await valuesOf(state, SERVICE(state), signal);
  const chosen = matching(services, begun).map((one) => ({
    text: one, kind: "service", whole: `${SERVICE(state)}="${quoted(one)}"`, isComplete: true,
  }));
  return [...chosen, ...found].slice(0, MOST);
}

const SERVICE = (state) => (isOfFlows(state.page) ? "service" : "service_name");

function matching(texts, begun) {
  const wanted = begun.toLowerCase();
  const found = texts.filter((one) => one.toLowerCase().includes(wanted));
  return found.sort((a, b) => a.toLowerCase().indexOf(wanted) - b.toLowerCase().indexOf(wanted)).slice(0, MOST);
}

async function namesOf({ page, from, to }, signal) {
  if (isOfFlows(page)) return FLOW_KEYS;
  return (await ask(path("labels", { from, to }), signal)).rows;
}

async function valuesOf({ page, from, to }, name, signal) {
  if (!isOfFlows(page)) return (await ask(path(`labels/${encodeURIComponent(name)}/values`, { from, to }), signal)).rows;
  const { rows } = await ask(path("flows", { from, to, by: name }), signal);
  return rows.map((row) => String(row[name] ?? ""));
}
