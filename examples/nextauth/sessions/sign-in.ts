import { decodeJwt } from "jose";

/** What is kept of a sign-in, in the session's cookie or in its row. Times are in seconds. */
export type SignIn = {
  /** The last one: who the user is, and until when. */
  idToken: string;
  refreshToken: string;
  /** By the bridge's clock. */
  signedInAt: number;
  renewAt: number;
};

interface Claims {
  sub: string;
  sid: string;
  iat: number;
  /** When the session at the bridge ends (OpenID Connect Enterprise Extensions). */
  session_expiry?: number;
  name?: string;
  email?: string;
  picture?: string;
  wallet_address?: string;
}

/** What the ID token says. It came from the bridge itself, so nobody else can have signed it. */
export const claimsOf = (signIn: Pick<SignIn, "idToken">) => decodeJwt<Claims>(signIn.idToken);

export function newSignIn(idToken: string, refreshToken: string, expiresAt: number): SignIn {
  return { idToken, refreshToken, signedInAt: claimsOf({ idToken }).iat, renewAt: expiresAt };
}

/** The sign-in with newer tokens in it; null once the bridge has closed the grant. */
export async function renewed(signIn: SignIn): Promise<SignIn | null> {
  const answer = await fetch(`${process.env.AUTH_DYNAMIC_ISSUER}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: signIn.refreshToken,
      client_id: process.env.AUTH_DYNAMIC_ID!,
      client_secret: process.env.AUTH_DYNAMIC_SECRET!,
    }),
    signal: AbortSignal.timeout(5000),
  }).catch(() => null);
  const tokens = await answer?.json().catch(() => null);
  if (tokens?.error === "invalid_grant") return null;
  if (!answer?.ok || !tokens) return signIn; // The bridge is away. The next request tries again.
  return {
    ...signIn,
    idToken: tokens.id_token ?? signIn.idToken,
    refreshToken: tokens.refresh_token ?? signIn.refreshToken,
    renewAt: Math.floor(Date.now() / 1000) + tokens.expires_in,
  };
}
