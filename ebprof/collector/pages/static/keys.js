/* Keys that every page has. Pages may have more: they are asked first. */

import { lead } from "./state.js";
import { moved, rangeOf, fixed, zoomed } from "./times.js";

export const HELP = [
  ["/", "search"],
  ["g s, g p, g c, g t, g o", "services, profiles, compare, traffic, topology"],
  ["[  ]", "move the range by half of it"],
  ["-  +", "make the range longer, shorter"],
  ["d", "compare with the range before"],
  ["l", "live, or not"],
  ["r", "refresh"],
  ["e", "edit the selector"],
  ["↑ ↓", "from row to row; Enter follows"],
  ["n N 0 i", "flame graph: next match, previous, all, icicle"],
  ["m f h x a", "of a frame: menu, focus, hide, hide stacks, callers"],
  ["Esc", "close what is open, clear the search"],
  ["?", "these keys"],
];
const PLACES = { s: "services", p: "profiles", c: "compare", t: "traffic", o: "topology" };
const WAIT_MS = 1000;

/* The range and the one before it, as the two sides of Compare. */
export function before(state) {
  const [from, to] = rangeOf(state);
  const [left, right] = [fixed(2 * from - to, from), fixed(from, to)];
  const query = state.query;
  return lead(state, "compare", {
    ...(state.type ? { type: state.type } : {}),
    left_query: query, left_from: left.from, left_to: left.to,
    right_query: query, right_from: right.from, right_to: right.to,
  });
}

export class Keys {
  constructor(store, actions) {
    this.store = store;
    this.actions = actions;
    this.prefixAt = -Infinity;
    addEventListener("keydown", (event) => this.onKey(event));
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "Escape") this.escape(event);
    else if (!isTyping && this.act(event)) event.preventDefault();
  }

  escape(event) {
    if (this.actions.close()) return;
    if (this.store.state.search) this.store.set({ search: "" }, true);
    event.target.blur?.();
  }

  act({ key }) {
    const { store } = this;
    if (performance.now() - this.prefixAt < WAIT_MS && PLACES[key]) {
      this.prefixAt = -Infinity;
      store.go(lead(store.state, PLACES[key]));
      return true;
    }
    this.prefixAt = key === "g" ? performance.now() : -Infinity;
    const actions = {
      "/": () => this.actions.search(),
      "?": () => this.actions.help(),
      e: () => this.actions.select(),
      r: () => this.actions.refresh(),
      l: () => store.set(store.state.live ? { live: "" } : { live: "1", to: "now", from: liveFrom(store.state) }),
      d: () => store.go(before(store.state)),
      "[": () => store.set(moved(store.state, -0.5)),
      "]": () => store.set(moved(store.state, 0.5)),
      "-": () => store.set(zoomed(store.state, 2)),
      "+": () => store.set(zoomed(store.state, 0.5)),
      "=": () => store.set(zoomed(store.state, 0.5)),
    };
    if (!Object.hasOwn(actions, key)) return key === "g";
    actions[key]();
    return true;
  }
}

/* Live is of a range that ends now: an absolute one becomes the last hour. */
export const liveFrom = ({ from, to }) => (to === "now" && from.startsWith("now") ? from : "now-1h");
