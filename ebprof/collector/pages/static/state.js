/* The state of the pages is one object of texts. The URL is that object, written down: it is read at the
 * start and at each step through the history, and nothing else is kept.
 */

const PATHS = { services: "/", profiles: "/profiles", compare: "/compare", traffic: "/traffic", topology: "/topology" };

/* What each page knows, by its default. Names of the API's parameters mean the same. */
const COMMON = { from: "now-1h", to: "now", live: "", query: "" };
const OWN = {
  services: { by: "service", sort: "", search: "", changes: "" },
  profiles: {
    type: "cpu", by: "", view: "flame", icicle: "1", search: "", hide: "", drop: "", focus: "", merge: "",
    only: "", callers: "", zoom: "", sort: "",
  },
  compare: {
    type: "cpu", left_query: "", left_from: "", left_to: "", right_query: "", right_from: "", right_to: "",
    absolute: "", beside: "", view: "table", fate: "all", widths: "both", icicle: "1", search: "", hide: "", drop: "", focus: "",
    merge: "", only: "", callers: "", zoom: "", sort: "",
  },
  traffic: { by: "service,peer_service", role: "", sort: "", search: "" },
  topology: { by: "service", size: "bytes", view: "both", open: "", sort: "", search: "" },
};
export const PAGES = Object.keys(PATHS);

/* The state that a URL says; what it does not know is left out. */
export function read(url) {
  const { pathname, searchParams } = new URL(url, "http://collector");
  const page = PAGES.find((name) => PATHS[name] === pathname) ?? "services";
  const state = { page, ...COMMON, ...OWN[page] };
  for (const [name, value] of searchParams) {
    if (name in state && name !== "page") state[name] = value;
  }
  return state;
}

/* The URL of a state: what is as by default is left out, but for the range, which stands for itself. */
export function write(state) {
  const known = { ...COMMON, ...OWN[state.page] };
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(known)) {
    const text = state[name] ?? "";
    if (text !== value) given.set(name, text);
  }
  const query = given.toString();
  return PATHS[state.page] + (query ? `?${query}` : "");
}

/* The state of another page with the same range and selection, and with what is given besides. */
export function lead(state, page, patch = {}) {
  const kept = Object.fromEntries(Object.keys(COMMON).map((name) => [name, state[name]]));
  return { page, ...COMMON, ...OWN[page], ...kept, ...patch };
}

/* Names in a list that is one text: those of hostile processes may have any character in them. */
export const listOf = (text) => (text ? JSON.parse(text) : []);
export const textOf = (list) => (list.length ? JSON.stringify(list) : "");

/* Holds the state, and calls `draw` with it whenever it has changed. */
export class Store {
  constructor(draw) {
    this.draw = draw;
    this.state = read(location.href);
    addEventListener("popstate", () => {
      this.state = read(location.href);
      this.draw(this.state);
    });
  }

  /* Change something. isSmall: it is no step that anybody would go back to, such as a letter typed. */
  set(patch, isSmall = false) {
    this.go({ ...this.state, ...patch }, isSmall);
  }

  go(state, isSmall = false) {
    const url = write(state);
    if (url === location.pathname + location.search) return;
    this.state = read(url);
    if (isSmall) history.replaceState(null, "", url);
    else history.pushState(null, "", url);
    this.draw(this.state);
  }
}
