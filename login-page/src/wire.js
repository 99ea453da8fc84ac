// Every call to Dynamic passes here: none goes to another host, none waits for ever, and two things that the SDK keeps
// to itself are noted: how long a refused call has to wait, and the full JWT that a sign-in was answered with.

const PATIENCE = 15_000; // milliseconds

/** What went over the wire. */
export class Wire {
  /** The full JWT of the sign-in or refresh that was answered last. */
  fullToken = null;
  /** Seconds until Dynamic takes another call, if it said so. */
  retryAfter = null;

  constructor(apiBaseUrl) {
    this.origin = new URL(apiBaseUrl).origin;
  }

  /** fetch, for the SDK. */
  fetch = async (input, init = {}) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (url.origin !== this.origin) throw new TypeError("a call to a host that is not Dynamic's");
    const answer = await fetch(input, { ...init, signal: AbortSignal.timeout(PATIENCE) });
    this.retryAfter = answer.status === 429 ? secondsOf(answer.headers) : null;
    if (answer.ok && init.method === "POST") await this.#note(answer.clone());
    return answer;
  };

  async #note(answer) {
    const told = await answer.json().catch(() => null);
    if (typeof told?.minifiedJwt === "string" && typeof told.jwt === "string") this.fullToken = told.jwt;
  }
}

function secondsOf(headers) {
  const told = headers.get("retry-after");
  return told !== null && /^\d{1,6}$/.test(told) ? Number(told) : null;
}
