/* The graph as a part of a page: its choices are a part of the state. */

import { Graph } from "./flamegraph/graph.js";
import { html, useEffect, useRef } from "./html.js";
import { listOf, textOf } from "./state.js";

const FLAGS = ["icicle", "merge", "only"];
const LISTS = ["hide", "drop", "zoom"];
const NAMES = [...FLAGS, ...LISTS, "view", "focus", "callers", "widths", "sort", "fate", "search"];

/* The choices that a state says; those that a page's state does not have are as by default. */
export function choicesOf(state) {
  const found = {};
  for (const name of NAMES) {
    if (!(name in state)) continue;
    if (FLAGS.includes(name)) found[name] = state[name] === "1";
    else if (LISTS.includes(name)) found[name] = safeList(state[name]);
    else found[name] = state[name];
  }
  return found;
}

function safeList(text) {
  try {
    const found = listOf(text);
    return Array.isArray(found) ? found.filter((one) => typeof one === "string") : [];
  } catch {
    return [];
  }
}

export function stateOf(patch) {
  return Object.fromEntries(Object.entries(patch).map(([name, value]) => {
    if (FLAGS.includes(name)) return [name, value ? "1" : ""];
    return [name, LISTS.includes(name) ? textOf(value) : value];
  }));
}

export function Flame({ store, state, profile, isKeyed = true }) {
  const place = useRef(null);
  const graph = useRef(null);
  useEffect(() => {
    graph.current = new Graph((patch) => store.set(stateOf(patch), isSmall(patch)), isKeyed);
    place.current.append(graph.current.element);
    return () => graph.current.close();
  }, []);
  useEffect(() => graph.current.show(profile, choicesOf(state)), [profile, state]);
  return html`<div class="flame" ref=${place}></div>`;
}

const isSmall = (patch) => "sort" in patch || "icicle" in patch;
