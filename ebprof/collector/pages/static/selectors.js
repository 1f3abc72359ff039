/* Selectors as the API has them, `{service_name="redis",pod=~"r.*"}`; people write them without braces. */

const MATCHER = /\s*([a-zA-Z_][\w.]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\\n]|\\.)*)"\s*(?:,|$)/y;

const quoted = (text) => text.replace(/\\/g, "\\\\").replace(/"/g, '\\"').replace(/\n/g, "\\n");
const unquoted = (text) => text.replace(/\\(.)/g, (_, one) => (one === "n" ? "\n" : one));

/* The conditions of a selector as [{name, operator, value}], or null where it cannot be read. */
export function parse(query) {
  const text = bare(query);
  const found = [];
  MATCHER.lastIndex = 0;
  while (MATCHER.lastIndex < text.length) {
    const match = MATCHER.exec(text);
    if (!match) return null;
    found.push({ name: match[1], operator: match[2], value: unquoted(match[3]) });
  }
  return found;
}

export function format(matchers) {
  if (!matchers.length) return "";
  return `{${matchers.map((one) => `${one.name}${one.operator}"${quoted(one.value)}"`).join(",")}}`;
}

/* What a selector looks like in its field. */
export const bare = (query) => query.trim().replace(/^\{/, "").replace(/\}$/, "").trim();

/* What a field says as a selector: one word is a service, and the last quote may be missing. */
export function braced(text) {
  const given = bare(text);
  const isOpen = (given.replace(/\\./g, "").match(/"/g) ?? []).length % 2 === 1;
  const inner = isOpen ? `${given}"` : given;
  if (!inner) return "";
  return /[=!~"{},]/.test(inner) ? `{${inner}}` : format([{ name: "service_name", operator: "=", value: inner }]);
}

/* The selector with one condition more, or in the place of others on that label. */
export function having(query, name, value) {
  const others = (parse(query) ?? []).filter((one) => one.name !== name);
  return format([...others, { name, operator: "=", value }]);
}

export const without = (query, name) =>
  format((parse(query) ?? []).filter((one) => one.name !== name));

/* The value that a label has to have, or "". */
export const valueOf = (query, name) =>
  (parse(query) ?? []).find((one) => one.name === name && one.operator === "=")?.value ?? "";
