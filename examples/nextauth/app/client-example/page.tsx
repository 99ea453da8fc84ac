"use client";

import { SessionProvider, useSession } from "next-auth/react";

export default function ClientExample() {
  return (
    <SessionProvider>
      <h1>The session, as the client sees it</h1>
      <Session />
    </SessionProvider>
  );
}

function Session() {
  const { data: session, status } = useSession();
  return (
    <>
      <p id="status">{status}</p>
      {session && <pre id="session">{JSON.stringify(session, null, 2)}</pre>}
    </>
  );
}
