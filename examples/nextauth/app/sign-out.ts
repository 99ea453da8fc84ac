"use server";

import { headers } from "next/headers";
import { redirect } from "next/navigation";
import { getToken } from "next-auth/jwt";
import { signOut, strategy } from "@/auth";
import { signInOf } from "@/sessions/adapter";

/** Ends this app's session, then the one at the bridge, which sends the browser on to end the one at Dynamic. */
export async function signOutEverywhere() {
  const app = new URL(process.env.AUTH_URL!);
  const cookie = {
    req: { headers: await headers() },
    secret: process.env.AUTH_SECRET,
    secureCookie: app.protocol === "https:",
  };
  const signIn =
    strategy === "jwt" ? await getToken(cookie) : await signInOf((await getToken({ ...cookie, raw: true })) ?? "");
  await signOut({ redirect: false });
  if (!signIn) redirect("/");
  const parameters = new URLSearchParams({
    id_token_hint: signIn.idToken,
    post_logout_redirect_uri: `${app.origin}/signin/out`,
  });
  redirect(`${process.env.AUTH_DYNAMIC_ISSUER}/logout?${parameters}`);
}
