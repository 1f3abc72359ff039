/* What all pages are made of: links, notices, sparklines, names. */

import { copy } from "./flamegraph/elements.js";
import { html, useState } from "./html.js";
import { write } from "./state.js";

/* A link to a state: a click follows it here, with Ctrl it opens beside. */
export function Link({ store, to, children, ...attributes }) {
  const follow = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    store.go(to);
  };
  return html`<a ...${attributes} href=${write(to)} onClick=${follow}>${children}</a>`;
}

const LONGEST = 44;

/* A name, cut in the middle where it is long; whole on hover. */
export function Name({ text, most = LONGEST }) {
  if (text === "") return html`<span class="none">(none)</span>`;
  if (text.length <= most) return html`<span class="name">${text}</span>`;
  const half = (most - 1) / 2;
  const cut = `${text.slice(0, Math.ceil(half))}…${text.slice(-Math.floor(half))}`;
  return html`<span class="name" title=${text}>${cut}</span>`;
}

/* Values over time as a line, from zero to their largest. */
export function Spark({ points, title = "" }) {
  const most = Math.max(...points, 0);
  if (!most) return html`<svg class="spark" aria-hidden="true"></svg>`;
  const step = 100 / Math.max(1, points.length - 1);
  const heights = points.map((value, at) => `${(at * step).toFixed(1)} ${(20 - (19 * value) / most).toFixed(1)}`);
  return html`<svg class="spark" viewBox="0 0 100 20" preserveAspectRatio="none" role="img" aria-label=${title}>
    <path class="spark-area" d=${`M0 20L${heights.join("L")}L100 20Z`} />
    <path class="spark-line" d=${`M${heights.join("L")}`} />
  </svg>`;
}

export function Command({ text }) {
  const [isCopied, setCopied] = useState(false);
  const onCopy = async () => {
    await copy(text);
    setCopied(true);
    setTimeout(() => setCopied(false), 1500);
  };
  return html`<p class="command"><code>${text}</code>
    <button type="button" onClick=${onCopy}>${isCopied ? "copied" : "copy"}</button></p>`;
}

/* The API's own line and hint. */
export function Failure({ error }) {
  return html`<div class="failure" role="alert"><strong>${error.message}</strong>
    ${error.hint && html`<span> — ${error.hint}</span>`}</div>`;
}

/* What a page shows around its answer: what was there stays, dimmed, while there is no newer one. */
export function Answer({ found, isEmpty, empty, children }) {
  const isOld = found.isSlow || (found.error && found.data);
  return html`
    ${found.error && html`<${Failure} error=${found.error} />`}
    ${found.data && isEmpty && empty}
    ${!found.data && found.isSlow && html`<p class="wait" role="status">asking the collector…</p>`}
    ${found.data && !isEmpty && html`<div class=${isOld ? "answer old" : "answer"} aria-busy=${found.isSlow}>
      ${children}</div>`}
  `;
}
