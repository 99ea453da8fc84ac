// Every call to Dynamic passes here: none goes to another host, none waits for ever, and two things that the SDK keeps
// to itself are noted: how long a refused call has to wait, and the full JWT that a sign-in was answered with.

import { StillSignedIn } from "./errors.js";

const PATIENCE = 15_000; // milliseconds
const LINKS = /\/verify(\/[a-z]+)?$/; // adds a credential to an account, which this page never does
const ENDS = /\/revoke$/;

/** What went over the wire. */
export class Wire {
  /** The full JWT of the sign-in or refresh that was answered last. */
  fullToken = null;
  /** Seconds until Dynamic takes another call, if it said so. */
  retryAfter = null;

  #open = new Set();

  constructor(apiBaseUrl) {
    this.origin = new URL(apiBaseUrl).origin;
  }

  /** fetch, for the SDK. */
  fetch = async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== this.origin) throw new TypeError("a call to a host that is not Dynamic's");
    if (LINKS.test(url.pathname)) throw new StillSignedIn();
    const ends = ENDS.test(url.pathname);
    const answer = await fetch(input, { ...init, signal: this.#signal({ cuttable: !ends }), keepalive: ends });
    this.retryAfter = answer.status === 429 ? secondsOf(answer.headers) : null;
    if (answer.ok && init.method === "POST") await this.#note(answer.clone());
    return answer;
  };

  /** Nobody hears the answers that are still awaited, but for that to the end of a session. */
  cut() {
    for (const call of this.#open) call.abort();
    this.#open.clear();
  }

  #signal({ cuttable }) {
    const call = new AbortController();
    if (cuttable) this.#open.add(call);
    setTimeout(() => {
      this.#open.delete(call);
      call.abort(new DOMException("no answer", "TimeoutError"));
    }, PATIENCE);
    return call.signal;
  }

  async #note(answer) {
    const told = await answer.json().catch(() => null);
    if (typeof told?.minifiedJwt === "string" && typeof told.jwt === "string") this.fullToken = told.jwt;
  }
}

function secondsOf(headers) {
  const told = headers.get("retry-after");
  return told !== null && /^\d{1,6}$/.test(told) ? Number(told) : null;
}
