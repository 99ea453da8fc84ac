"use client";

import { SessionProvider, signIn, signOut, useSession } from "next-auth/react";

export default function Page() {
  return (
    <SessionProvider>
      <Session />
    </SessionProvider>
  );
}

function Session() {
  const { data: session } = useSession();
  if (!session) {
    return (
      <button id="sign-in" onClick={() => signIn("dynamic")}>
        Sign in
      </button>
    );
  }
  return (
    <>
      <p>
        Signed in as <b id="email">{session.user?.email}</b> with wallet <code id="wallet">{session.wallet}</code>
      </p>
      <button id="sign-out" onClick={() => signOut()}>
        Sign out
      </button>
    </>
  );
}
