// What went wrong, in people's words. What Dynamic or a wallet wrote is never shown: it is a stranger's text.

/** What the page can do about it. */
export const Trouble = Object.freeze({
  WRONG_CODE: "wrong code",
  CODE_OVER: "code over",
  EMAIL: "email",
  UNREACHABLE: "unreachable",
  ENDED: "ended",
  STILL_SIGNED_IN: "still signed in",
  OTHER: "other",
});

/** Somebody is signed in who must not be, so nobody else can sign in now. */
export class StillSignedIn extends Error {
  code = "still_signed_in";
}

const CODES = {
  still_signed_in: Trouble.STILL_SIGNED_IN,
  wrong_email_verification_token: Trouble.WRONG_CODE,
  invalid_verification_code: Trouble.WRONG_CODE,
  invalid_email_verification: Trouble.CODE_OVER,
  expired_email_verification: Trouble.CODE_OVER,
  invalid_email: Trouble.EMAIL,
};

const TEXTS = {
  [Trouble.WRONG_CODE]: "That is not the code. Look at it again, or have a new one sent.",
  [Trouble.CODE_OVER]: "This code is not good any more. Have a new one sent.",
  [Trouble.EMAIL]: "No mail can be sent to that address. Is it spelt right?",
  [Trouble.UNREACHABLE]: "The sign-in service does not answer. Check your connection and try again.",
  [Trouble.STILL_SIGNED_IN]: "The earlier account could not be signed out. Reload this page and try again.",
  [Trouble.ENDED]: "That session has ended. Please sign in again.",
};

/** @returns {{kind: string, text: string}} */
export function troubleOf(error, { retryAfter = null } = {}) {
  if (error?.status === 429 || error?.code === "mfa_rate_limited_error") {
    return { kind: Trouble.OTHER, text: `Too many tries. ${whenAgain(retryAfter)}` };
  }
  const kind = CODES[error?.code] ?? CODES[error?.cause?.code] ?? kindOf(error);
  return { kind, text: TEXTS[kind] ?? textOf(error) };
}

function kindOf(error) {
  if (error?.code === "unauthorized_error" || error?.status === 401) return Trouble.ENDED;
  const unanswered = error?.name === "FetchError" || error?.name === "TypeError" || error?.name === "TimeoutError";
  return unanswered || error?.status >= 500 ? Trouble.UNREACHABLE : Trouble.OTHER;
}

function textOf(error) {
  if (error?.code === "sandbox_maximum_threshold_reached") {
    return "This app's test environment takes no more users. Its makers can change that.";
  }
  return "You could not be signed in. Try again, or another way.";
}

/** The words for what a wallet answered. */
export function walletTrouble(error, name, how) {
  const codes = [error?.code, error?.cause?.code];
  if (codes.includes(4001) || codes.includes("user_rejected") || codes.includes("ACTION_REJECTED")) {
    return { kind: Trouble.OTHER, text: `You declined in ${name}. Nothing was signed.` };
  }
  if (codes.includes(-32002)) {
    return { kind: Trouble.OTHER, text: `${name} still shows an earlier question. Open it and answer that one first.` };
  }
  const trouble = troubleOf(error, how);
  if (trouble.kind === Trouble.OTHER && error?.status >= 400 && error.status !== 429) {
    return { kind: Trouble.OTHER, text: `The signature from ${name} was not accepted. Try again with the account you see there.` };
  }
  return trouble.kind === Trouble.OTHER && error?.status === undefined
    ? { kind: Trouble.OTHER, text: `${name} did not answer as it should. Open it, unlock it, and try again.` }
    : trouble;
}

function whenAgain(seconds) {
  if (seconds === null) return "Wait a minute, then try again.";
  if (seconds < 90) return `Try again in ${Math.max(1, seconds)} seconds.`;
  return `Try again in ${Math.ceil(seconds / 60)} minutes.`;
}
