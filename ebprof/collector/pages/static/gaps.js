/* Windows in which agents were silent: steps without a word of a node that had spoken before. */

import { path, useAnswer } from "./api.js";

export const STATUS = "ebprof_samples:count";
const LEAST_S = 30;

/* [[from, to, text]] in seconds; types: those that there are. */
export function useGaps(state, types, step, turn) {
  const isKnown = types.some((one) => one.type === STATUS);
  const parameters = { type: STATUS, from: state.from, to: state.to, by: "node", step: `${step}s` };
  const found = useAnswer(isKnown ? path("profiles/series", parameters) : "", turn);
  return found.data ? gapsOf(found.data) : [];
}

/* A node that was not there when the range began was not missing. */
export function gapsOf({ to, step, rows }) {
  const end = Date.parse(to) / 1000;
  return rows.flatMap(({ labels, points }) => {
    const times = [...points.map(([time]) => time), end + step];
    const found = [];
    for (let at = 1; at < times.length; at++) {
      const from = times[at - 1] + step;
      const until = Math.min(end, times[at]);
      if (until - from > Math.max(LEAST_S, step)) found.push([from, until, `node ${labels.node}: no data`]);
    }
    return found;
  });
}
