/* Draws the page that the URL says, and again whenever that changes. */

import { Compare } from "./compare.js";
import { html, render, useEffect, useMemo, useRef, useState } from "./html.js";
import { Frame } from "./frame.js";
import { Keys } from "./keys.js";
import { Profiles } from "./profiles.js";
import { Services } from "./services.js";
import { Store } from "./state.js";
import { Traffic } from "./traffic.js";

/* Its libraries are larger than all of the other pages: they are loaded when somebody looks at it. */
const Topology = later(() => import("./topology/page.js").then((found) => found.Topology));
const PAGES = { services: Services, profiles: Profiles, compare: Compare, traffic: Traffic, topology: Topology };
const LIVE_MS = 10_000;
/* What changes seldom is asked for again at each of so many turns. */
const SLOW = 6;

function later(load) {
  return (props) => {
    const [found, setFound] = useState(null);
    useEffect(() => {
      load().then((Page) => setFound({ Page }), (error) => setFound({ error }));
    }, []);
    if (found?.error) return html`<p class="failure" role="alert">this page could not be loaded: load it again</p>`;
    return found && html`<${found.Page} ...${props} />`;
  };
}

function App({ store, state }) {
  const [turn, setTurn] = useState(0);
  const [open, setOpen] = useState("");
  const openNow = useRef("");
  openNow.current = open;
  const fields = useMemo(() => ({ search: { current: null }, selector: { current: null } }), []);
  const refresh = () => setTurn((last) => (Math.floor(last / SLOW) + 1) * SLOW);
  useEffect(() => {
    const close = () => {
      const wasOpen = openNow.current !== "";
      setOpen("");
      return wasOpen;
    };
    new Keys(store, {
      close, refresh,
      help: () => setOpen(openNow.current === "help" ? "" : "help"),
      search: () => fields.search.current?.select(),
      select: () => fields.selector.current?.select(),
    });
  }, []);
  useEffect(() => {
    if (!state.live) return undefined;
    const timer = setInterval(() => document.hidden || setTurn((last) => last + 1), LIVE_MS);
    return () => clearInterval(timer);
  }, [state.live]);
  useEffect(() => {
    document.title = `${state.page}${state.query ? ` ${state.query}` : ""} · ebprof`;
  }, [state.page, state.query]);
  const Page = PAGES[state.page] ?? Services;
  const turns = { turn, slowTurn: Math.floor(turn / SLOW) };
  return html`<${Frame} ...${{ store, state, ...turns, open, setOpen, refresh, fields }}>
    <${Page} key=${state.page} store=${store} state=${state} ...${turns} /><//>`;
}

const root = document.getElementById("app");
const store = new Store((state) => render(html`<${App} store=${store} state=${state} />`, root));
store.draw(store.state);
