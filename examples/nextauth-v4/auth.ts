import type { NextAuthOptions } from "next-auth";

declare module "next-auth" {
  interface Session {
    wallet?: string;
  }
  interface Profile {
    email?: string;
    wallet_address?: string;
  }
}

declare module "next-auth/jwt" {
  interface JWT {
    wallet?: string;
  }
}

export const options: NextAuthOptions = {
  providers: [
    {
      id: "dynamic",
      name: "Dynamic",
      type: "oauth",
      wellKnown: `${process.env.AUTH_DYNAMIC_ISSUER}/.well-known/openid-configuration`,
      clientId: process.env.AUTH_DYNAMIC_ID,
      clientSecret: process.env.AUTH_DYNAMIC_SECRET,
      authorization: { params: { scope: "openid profile email wallets" } },
      idToken: true,
      checks: ["pkce", "state", "nonce"],
      profile: (claims) => ({ id: claims.sub, name: claims.name, email: claims.email, image: claims.picture }),
    },
  ],
  callbacks: {
    jwt: ({ token, profile }) => (profile ? { ...token, wallet: profile.wallet_address } : token),
    session: ({ session, token }) => ({ ...session, wallet: token.wallet }),
  },
};
