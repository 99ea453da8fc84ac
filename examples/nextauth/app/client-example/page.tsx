"use client";

import { useSession } from "next-auth/react";

export default function ClientExample() {
  const { data: session, status } = useSession();
  return (
    <>
      <h1>The session, as the client sees it</h1>
      <p id="status">{status}</p>
      {session && <pre id="session">{JSON.stringify(session, null, 2)}</pre>}
    </>
  );
}
