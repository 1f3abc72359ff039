/* Colours say what kind of code a frame is, or how it changed. */

export const KINDS = {
  user: { label: "user", hue: [20, 42], light: [88, 70], dark: [58, 29] },
  kernel: { label: "kernel", hue: [203, 222], light: [72, 76], dark: [42, 36] },
  jit: { label: "JIT", hue: [138, 158], light: [46, 69], dark: [36, 29] },
  unknown: { label: "unknown", hue: [40, 60], light: [4, 77], dark: [3, 36] },
  process: { label: "process", hue: [255, 270], light: [34, 83], dark: [18, 34] },
  stop: { label: "incomplete", hue: [345, 355], light: [58, 82], dark: [34, 33] },
  pruned: { label: "pruned", hue: [40, 60], light: [6, 84], dark: [4, 27] },
};
const MATCH = { light: "hsl(302 82% 74%)", dark: "hsl(302 52% 42%)" };
const darkQuery = matchMedia("(prefers-color-scheme: dark)");

export const isDark = () => darkQuery.matches;
export const matchColor = () => (isDark() ? MATCH.dark : MATCH.light);
export const onThemeChange = (heed) => {
  darkQuery.addEventListener("change", heed);
  return () => darkQuery.removeEventListener("change", heed);
};

function hashOf(text) {
  let hash = 2166136261;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 16777619);
  return (hash >>> 0) / 2 ** 32;
}

export function colorOf(kind, name, isFaint = false) {
  const { hue, light, dark } = KINDS[kind];
  const [saturation, lightness] = isDark() ? dark : light;
  const spread = hashOf(name);
  const faint = isFaint ? (isDark() ? -7 : 9) : 0;
  const turned = hue[0] + spread * (hue[1] - hue[0]);
  return `hsl(${turned} ${saturation}% ${lightness + faint + 4 * (spread - 0.5)}%)`;
}

/* The shade of a change, in percentage points. */
export function shade(diff, points) {
  const shades = isDark() ? diff.shades.dark : diff.shades.light;
  const step = diff.steps.filter((least) => Math.abs(points) >= least).length - 1;
  if (step < 0) return shades.same[0];
  return (points > 0 ? shades.grew : shades.shrank)[step];
}

export const cssColor = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
