/* Numbers and changes in words. */

export const percent = (part, whole) => `${whole ? ((100 * part) / whole).toFixed(2) : "0.00"}%`;
export const grouped = (number) => number.toLocaleString("en-US");
export const amount = (number, noun) => `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;

export function duration(nanoseconds) {
  for (const [unit, size] of [["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (nanoseconds >= size) return `${(nanoseconds / size).toPrecision(3).replace(/\.0+$/, "")} ${unit}`;
  }
  return `${nanoseconds} ns`;
}

/* A value of a sample type: in the largest unit of which it has one, and what is counted. */
export function measured(number, { steps, noun }) {
  const fits = steps.filter(([, size]) => Math.abs(number) >= size);
  const [label, size] = fits.length ? fits[fits.length - 1] : steps[0];
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const written = (number / size).toLocaleString("en-US", digits).replace(/\.00$/, "");
  return [number ? written + label : "0", noun].filter(Boolean).join(" ");
}

const signed = (number, text) => (number > 0 ? `+${text}` : number < 0 ? `-${text}` : text);

/* What two values changed, in percentage points of the whole. */
export function points(diff, before, after) {
  const [first, second] = diff.whole;
  if (!first || !second) return first ? (-100 * before) / first : second ? (100 * after) / second : 0;
  return (100 * (after * first - before * second)) / (first * second);
}

/* `+1.25 points`, or `+1,250 samples (+50.0%)` where quantities are compared as they are. */
export function change(diff, before, after) {
  if (!diff.isAbsolute) {
    const found = points(diff, before, after);
    return `${signed(Math.abs(found) < 0.005 ? 0 : found, Math.abs(found).toFixed(2))} points`;
  }
  const grown = before ? Math.abs((100 * (after - before)) / before).toFixed(1) : "";
  const ratio = before ? `  (${signed(after - before, grown)}%)` : "";
  return signed(after - before, diff.quantity(Math.abs(after - before))) + ratio;
}

/* A test for names: text in any case, or a regular expression between slashes. Null where it is none. */
export function matcherOf(query) {
  const pattern = /^\/(.+)\/$/.exec(query);
  if (pattern) {
    try {
      const expression = new RegExp(pattern[1], "i");
      return (name) => expression.test(name);
    } catch {
      return null;
    }
  }
  const wanted = query.toLowerCase();
  return (name) => name.toLowerCase().includes(wanted);
}

/* Whether a name is one of a list, in which `*` may stand for anything. */
export function isListed(list) {
  const exact = new Set(list);
  const patterns = list.filter((one) => one.includes("*")).map((one) => one.split("*"));
  return (name) => exact.has(name) || patterns.some((parts) => hasParts(name, parts));
}

/* The first one begins it, the last one ends it, the others stand between: without a way back, as lists come by URL. */
function hasParts(name, [first, ...others]) {
  if (!name.startsWith(first)) return false;
  const last = others.pop();
  let at = first.length;
  for (const part of others) {
    const found = name.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return name.length - last.length >= at && name.endsWith(last);
}
