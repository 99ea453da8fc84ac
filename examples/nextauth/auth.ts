import NextAuth, { type DefaultSession } from "next-auth";
import { adapterFor } from "./sessions/adapter";
import { current } from "./sessions/current";
import { endSessions, MAX_AGE } from "./sessions/ended";
import { claimsOf, newSignIn, type SignIn } from "./sessions/sign-in";

declare module "next-auth" {
  interface Session {
    user: { id: string } & DefaultSession["user"];
    wallet?: string;
  }
}

declare module "next-auth/jwt" {
  interface JWT extends SignIn {}
}

/** Where a session lives: in a cookie, or in a database. */
export const strategy = process.env.SESSION_STRATEGY === "database" ? "database" : "jwt";

// NextAuth reads AUTH_DYNAMIC_ISSUER, AUTH_DYNAMIC_ID and AUTH_DYNAMIC_SECRET by the provider's id.
export const { handlers, auth, signIn, signOut } = NextAuth(() => {
  let opening: SignIn | undefined; // what this request completes, where it is the callback of a sign-in
  return {
    providers: [
      {
        id: "dynamic",
        name: "Dynamic",
        type: "oidc",
        authorization: { params: { scope: "openid profile email wallets offline_access" } },
        account: () => ({}), // tokens are kept with the session, not with the account
      },
    ],
    session: { strategy, maxAge: MAX_AGE },
    adapter: strategy === "database" ? adapterFor(() => opening) : undefined,
    callbacks: {
      authorized: ({ auth, request }) => request.nextUrl.pathname !== "/middleware-example" || auth !== null,
      signIn({ account }) {
        opening = newSignIn(account!.id_token!, account!.refresh_token!, account!.expires_at!);
        return true;
      },
      // On every access to a session in a cookie. One in a database comes by the adapter's getSessionAndUser.
      jwt: ({ token, trigger }) => opening ?? current(token, trigger === "update"),
      session({ session, token }) {
        const { sub, name, email, picture, wallet_address, session_expiry } = claimsOf(
          strategy === "jwt" ? token : (session as unknown as SignIn),
        );
        const expires = session_expiry ? new Date(session_expiry * 1000) : new Date(session.expires);
        return { user: { id: sub, name, email, image: picture }, wallet: wallet_address, expires: expires.toISOString() };
      },
    },
    events: {
      // A request that is under way now can still set the cookie again.
      async signOut(message) {
        if (!("token" in message) || !message.token) return;
        await endSessions({ sid: claimsOf(message.token).sid, at: message.token.signedInAt });
      },
    },
  };
});
