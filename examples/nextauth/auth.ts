import NextAuth, { type DefaultSession } from "next-auth";
import type { JWT } from "next-auth/jwt";

declare module "next-auth" {
  interface Session {
    user: { id: string } & DefaultSession["user"];
    wallet?: string;
  }
  interface Profile {
    wallet_address?: string;
  }
}

declare module "next-auth/jwt" {
  interface JWT {
    wallet?: string;
    idToken: string;
    refreshToken: string;
    /** When the tokens are to be renewed, in seconds. */
    expiresAt: number;
  }
}

// NextAuth reads AUTH_DYNAMIC_ISSUER, AUTH_DYNAMIC_ID and AUTH_DYNAMIC_SECRET by the provider's id.
export const { handlers, auth, signIn, signOut } = NextAuth({
  providers: [
    {
      id: "dynamic",
      name: "Dynamic",
      type: "oidc",
      authorization: { params: { scope: "openid profile email wallets offline_access" } },
    },
  ],
  callbacks: {
    authorized: ({ auth, request }) => request.nextUrl.pathname !== "/middleware-example" || auth !== null,
    jwt({ token, account, profile }) {
      if (account) {
        return {
          ...token,
          sub: account.providerAccountId, // the user's id at the bridge; NextAuth's own is new at each sign-in
          wallet: profile?.wallet_address,
          idToken: account.id_token!,
          refreshToken: account.refresh_token!,
          expiresAt: account.expires_at!,
        };
      }
      return Date.now() < token.expiresAt * 1000 ? token : renewed(token);
    },
    session: ({ session, token }) => ({
      ...session,
      user: { ...session.user, id: token.sub! },
      wallet: token.wallet,
    }),
  },
});

/** The token with newer ones in it; null, which ends the session, once the bridge has closed the grant. */
async function renewed(token: JWT): Promise<JWT | null> {
  const answer = await fetch(`${process.env.AUTH_DYNAMIC_ISSUER}/token`, {
    method: "POST",
    body: new URLSearchParams({
      grant_type: "refresh_token",
      refresh_token: token.refreshToken,
      client_id: process.env.AUTH_DYNAMIC_ID!,
      client_secret: process.env.AUTH_DYNAMIC_SECRET!,
    }),
    signal: AbortSignal.timeout(5000),
  }).catch(() => null);
  const tokens = await answer?.json().catch(() => null);
  if (tokens?.error === "invalid_grant") return null;
  if (!answer?.ok) return token; // The bridge is away. An error would end the session; the next request tries again.
  return {
    ...token,
    idToken: tokens.id_token ?? token.idToken,
    refreshToken: tokens.refresh_token ?? token.refreshToken,
    expiresAt: Math.floor(Date.now() / 1000) + tokens.expires_in,
  };
}
