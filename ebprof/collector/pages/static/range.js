/* The control of the range: how far back, or from when to when; live; back and forth. */

import { html, useState } from "./html.js";
import { liveFrom } from "./keys.js";
import { absolute, isRelative, moved, RANGES, rangeOf, rangeText, seconds, two, utcText } from "./times.js";

export function Range({ store, state, isOpen, setOpen, refresh }) {
  const [from, to] = rangeOf(state);
  const toggleLive = () =>
    store.set(state.live ? { live: "" } : { live: "1", to: "now", from: liveFrom(state) });
  return html`<div class="range" role="group" aria-label="Range of time">
    <button type="button" title="Earlier ( [ )" aria-label="earlier" onClick=${() => store.set(moved(state, -0.5))}>‹</button>
    <button type="button" class="open" aria-expanded=${isOpen} title=${`${utcText(from)} to ${utcText(to)}`}
      onClick=${() => setOpen(isOpen ? "" : "range")}>${rangeText(state)} ▾</button>
    <button type="button" title="Later ( ] )" aria-label="later" disabled=${state.to === "now"}
      onClick=${() => store.set(moved(state, 0.5))}>›</button>
    <button type="button" class="live" aria-pressed=${Boolean(state.live)} title="Follow what comes in ( l )"
      onClick=${toggleLive}>live ${state.live ? "●" : "○"}</button>
    <button type="button" title="Ask again ( r )" aria-label="refresh" onClick=${refresh}>⟳</button>
    ${isOpen && html`<${Choice} store=${store} state=${state} setOpen=${setOpen} />`}
  </div>`;
}

function Choice({ store, state, setOpen }) {
  const [from, to] = rangeOf(state);
  const [texts, setTexts] = useState({
    from: isRelative(state.from) ? state.from : localText(from),
    to: isRelative(state.to) ? state.to : localText(to),
  });
  const isWrong = !(read(texts.from) < read(texts.to));
  const choose = (patch) => {
    setOpen("");
    store.set(patch);
  };
  const apply = (event) => {
    event.preventDefault();
    if (!isWrong) choose({ from: kept(texts.from), to: kept(texts.to), live: "" });
  };
  return html`<div class="panel">
    <div class="choices">${RANGES.map((text) => html`<button key=${text} type="button"
      aria-pressed=${state.from === `now-${text}` && state.to === "now"}
      onClick=${() => choose({ from: `now-${text}`, to: "now" })}>${text}</button>`)}</div>
    <form onSubmit=${apply}>
      ${["from", "to"].map((name) => html`<label key=${name}>${name}
        <input name=${name} value=${texts[name]} spellcheck=${false} autocomplete="off" aria-invalid=${isWrong}
          onInput=${(event) => setTexts({ ...texts, [name]: event.target.value })} /></label>`)}
      <button type="submit" disabled=${isWrong}>show</button>
    </form>
    <p class="hint">now-15m, 2026-01-31 12:00 here, 2026-01-31T12:00:00Z, or seconds</p>
  </div>`;
}

function localText(time) {
  const at = new Date(time * 1000);
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

/* Without a zone it is the viewer's. */
const read = (text) => seconds(text.trim().replace(/^(\d{4}-\d\d-\d\d) (\d)/, "$1T$2"));
const kept = (text) => (isRelative(text) ? text.trim() : absolute(read(text)));
