import { lt } from "drizzle-orm";
import { createRemoteJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { db, redeemed } from "./database";
import type { Logout } from "./ended";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const LONGEST = 300; // seconds that a logout token is good for at most
const TOLERANCE = 30; // seconds between the bridge's clock and ours

/** The token is not a good one. */
export class Refused extends Error {}

/**
 * Who is signed out by a logout token (OpenID Connect Back-Channel Logout 1.0, section 2.6). A token is good once.
 *
 * Throws Refused; anything else, if the token cannot be verified at the moment.
 */
export async function redeem(raw: string): Promise<Logout> {
  const { keys, algorithms } = await (provider ??= discovered());
  const { payload } = await jwtVerify(raw, keys, {
    typ: "logout+jwt",
    algorithms,
    issuer: process.env.AUTH_DYNAMIC_ISSUER!,
    audience: process.env.AUTH_DYNAMIC_ID!,
    requiredClaims: ["iat", "exp", "jti"],
    maxTokenAge: LONGEST,
    clockTolerance: TOLERANCE,
  }).catch((error) => {
    throw isOfTheKeys(error) ? error : new Refused("not a token of the bridge for this app");
  });
  const logout = read(payload);
  await takeOnce(payload.jti, payload.exp!);
  return logout;
}

/** Throws Refused. */
function read({ sid, sub, iat, jti, events, ...rest }: JWTPayload): Logout {
  const event = isObject(events) ? events[EVENT] : undefined;
  if (!isObject(event)) throw new Refused("not a logout token");
  if ("nonce" in rest) throw new Refused("an ID token");
  if (typeof jti !== "string" || jti === "") throw new Refused("no jti");
  if (sid !== undefined && (typeof sid !== "string" || sid === "")) throw new Refused("no sid");
  if (sub !== undefined && (typeof sub !== "string" || sub === "")) throw new Refused("no sub");
  if (sid === undefined && sub === undefined) throw new Refused("nobody is signed out");
  return { sid, sub, at: iat! };
}

/** Throws Refused if the token was used before. */
async function takeOnce(jti: string | undefined, exp: number) {
  const taken = await db.insert(redeemed).values({ jti: jti!, exp }).onConflictDoNothing().returning();
  if (taken.length === 0) throw new Refused("used before");
  await db.delete(redeemed).where(lt(redeemed.exp, Date.now() / 1000 - 2 * TOLERANCE));
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether the bridge's keys could not be had: that says nothing of the token. */
function isOfTheKeys(error: unknown): boolean {
  if (!(error instanceof errors.JOSEError)) return true;
  return ["ERR_JWKS_TIMEOUT", "ERR_JWKS_INVALID", "ERR_JOSE_GENERIC"].includes(error.code);
}

let provider: ReturnType<typeof discovered> | undefined;

/** Where the bridge's keys are, and what it signs with. The keys are fetched anew when they have changed. */
async function discovered() {
  try {
    const answer = await fetch(`${process.env.AUTH_DYNAMIC_ISSUER}/.well-known/openid-configuration`, {
      signal: AbortSignal.timeout(5000),
    });
    const found = await answer.json();
    if (!answer.ok || found.issuer !== process.env.AUTH_DYNAMIC_ISSUER) throw new Error("not the bridge");
    const algorithms: string[] = found.id_token_signing_alg_values_supported;
    return { keys: createRemoteJWKSet(new URL(found.jwks_uri)), algorithms };
  } catch (error) {
    provider = undefined; // the next one tries again
    throw error;
  }
}
