/* Samples over time, of a recording in slices: a row of bars, each with its part of the time in its title. */

import { element } from "./elements.js";
import { duration } from "./texts.js";

const SPACE = "http://www.w3.org/2000/svg";
const HEIGHT = 28;
const MOST_WIDE = 12;
const GAP = 0.12;

function drawn(tag, attributes, ...children) {
  const made = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function bar(count, at, most, title) {
  const height = count ? Math.max(1, (HEIGHT * count) / most) : 0;
  const place = { x: at + GAP / 2, width: 1 - GAP, y: HEIGHT - height, height };
  return drawn("g", {},
    drawn("rect", { x: at, width: 1, y: 0, height: HEIGHT, class: "slot" }, title),
    drawn("rect", { ...place, class: "bar" }));
}

/* load: {step_ns, end_ns, counts}; cost: gives a count in words. */
export function loadOf({ step_ns: step, end_ns: end, counts }, cost) {
  const most = Math.max(1, ...counts);
  const bars = counts.map((count, at) => {
    const span = `${duration(at * step)} to ${duration(Math.min(end, (at + 1) * step))}`;
    return bar(count, at, most, drawn("title", {}, `${span}: ${cost(count)}`));
  });
  const words = `${duration(end)}, at most ${cost(most)} in ${duration(step)}`;
  const view = { viewBox: `0 0 ${counts.length} ${HEIGHT}`, preserveAspectRatio: "none", height: HEIGHT, role: "img",
    width: Math.min(720, counts.length * MOST_WIDE), "aria-label": `Samples over time: ${words}` };
  return [drawn("svg", view, ...bars), element("span", { textContent: words })];
}
