/* What colours mean: as items of a list. */

import { colorOf, KINDS, shade } from "./colors.js";
import { element, swatch } from "./elements.js";

export function legend(profile) {
  return profile.diff ? shades(profile.diff) : kinds(profile);
}

const item = (text, color) => element("li", {}, ...(color ? [swatch(color)] : []), text);

/* From what shrank most to what grew most, each with the least change that it stands for. */
function shades(diff) {
  const grew = diff.steps.map((least) => item(`+${least}`, shade(diff, least)));
  const shrank = diff.steps.map((least) => item(`-${least}`, shade(diff, -least))).reverse();
  const whole = diff.isAbsolute ? "% of the larger total" : "percentage points of all samples";
  const head = item(`from ${diff.names[0]} to ${diff.names[1]}, ${whole}:`);
  return [head, item("shrank"), ...shrank, item("same", shade(diff, 0)), ...grew, item("grew")];
}

function kinds({ functions, kinds: known }) {
  const used = new Set(functions.kind);
  const found = known.flatMap((kind, number) => (used.has(number) ? [item(KINDS[kind].label, colorOf(kind, "main"))] : []));
  return functions.inlined.includes(1) ? [...found, item("▏italic: inlined")] : found;
}
