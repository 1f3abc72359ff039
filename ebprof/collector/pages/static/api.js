/* Asks the collector, of which these pages are. Answers are kept while a page looks at the same range. */

import { useEffect, useState } from "./html.js";

const PREFIX = "/api/v1/";
const SLOW_MS = 300;

/* What the API said went wrong: its own line, and its hint. */
export class ApiError extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

export function path(name, parameters) {
  const given = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== "" && value !== undefined && value !== null) given.set(key, value);
  }
  const query = given.toString();
  return PREFIX + name + (query ? `?${query}` : "");
}

/* The JSON that is answered; rejects with ApiError. */
export async function ask(url, signal) {
  let answer;
  try {
    answer = await fetch(url, { signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "the collector does not answer", "is it running, and is this machine online?");
  }
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  throw new ApiError(answer.status, said.error ?? answer.statusText, said.hint ?? "");
}

/* The answer to a question, renewed whenever it or `turn` changes. The last one stays meanwhile.
 * isSlow: the wait is long enough to be shown.
 */
export function useAnswer(url, turn) {
  const [found, setFound] = useState({ url: "", data: null, error: null, isSlow: false });
  useEffect(() => {
    if (!url) {
      setFound({ url: "", data: null, error: null, isSlow: false });
      return undefined;
    }
    const abort = new AbortController();
    const slow = setTimeout(() => setFound((last) => ({ ...last, isSlow: true })), SLOW_MS);
    ask(url, abort.signal)
      .then((data) => setFound({ url, data, error: null, isSlow: false }))
      .catch((error) => {
        if (error.name !== "AbortError") setFound((last) => ({ ...last, url, error, isSlow: false }));
      })
      .finally(() => clearTimeout(slow));
    return () => {
      clearTimeout(slow);
      abort.abort();
    };
  }, [url, turn]);
  return found;
}
