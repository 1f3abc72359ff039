/* Numbers as people read them: three digits and a prefix. The exact value is on hover. */

import { grouped } from "./flamegraph/texts.js";

const PREFIXES = [[1e15, "P"], [1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];

export const digits = (value) => {
  const magnitude = Math.abs(value);
  if (magnitude === 0) return "0";
  if (magnitude >= 100) return value.toFixed(0);
  if (magnitude < 0.095) return value.toFixed(3);
  return magnitude >= 10 ? value.toFixed(1) : value.toFixed(2);
};

/* `12.1 MB`; steps of 1000. */
export function si(value, unit = "") {
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (!unit && magnitude < 1000 && Number.isInteger(value)) return String(value);
  const [size, prefix] = PREFIXES.find(([least]) => magnitude >= least * 0.9995) ?? [1, ""];
  const text = magnitude < 0.0005 ? "<0.001" : digits(value / size);
  return prefix || unit ? `${text} ${prefix}${unit}` : text;
}

export const exact = (value, unit = "") => `${grouped(Number(value))}${unit && ` ${unit}`}`;

export function nanoseconds(value) {
  for (const [unit, size] of [["h", 3.6e12], ["min", 6e10], ["s", 1e9], ["ms", 1e6], ["µs", 1e3]]) {
    if (Math.abs(value) >= size) return `${digits(value / size)} ${unit}`;
  }
  return `${value} ns`;
}

/* A value of a profile's type in its unit, summed over a range. */
export function amount(value, unit) {
  if (unit === "nanoseconds") return nanoseconds(value);
  if (unit === "bytes") return si(value, "B");
  return unit === "count" ? si(value) : `${si(value)} ${unit}`;
}

/* The same each second: CPU time as cores. */
export function rate(value, unit, length) {
  if (unit === "nanoseconds") return `${digits(value / length / 1e9)} cores`;
  return `${amount(value / length, unit)}/s`;
}
