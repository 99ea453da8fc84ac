"use client";

import { DynamicEmbeddedWidget, getAuthToken, useDynamicContext } from "@dynamic-labs/sdk-react-core";
import { useEffect, useRef, useState } from "react";
import { DynamicProvider } from "./provider";
import type { DynamicSettings } from "./settings";

interface Props {
  /** Where the bridge takes the token. */
  complete: string;
  request: string;
  /** Whoever is signed in to Dynamic already is asked again all the same. */
  anew: boolean;
}

export default function SignInWithDynamic({ dynamic, ...props }: Props & { dynamic: DynamicSettings }) {
  return (
    <DynamicProvider {...dynamic}>
      <DynamicEmbeddedWidget />
      <HandBack {...props} />
    </DynamicProvider>
  );
}

function HandBack({ complete, request, anew }: Props) {
  const { user, sdkHasLoaded, handleLogOut } = useDynamicContext();
  const [ready, setReady] = useState(!anew);
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (sdkHasLoaded && !ready) handleLogOut().finally(() => setReady(true));
  }, [sdkHasLoaded, ready, handleLogOut]);

  useEffect(() => {
    if (ready && user) form.current!.submit();
  }, [ready, user]);

  return (
    <>
      <form ref={form} method="post" action={complete}>
        <input type="hidden" name="request" value={request} />
        <input type="hidden" name="token" value={(user && getAuthToken()) ?? ""} />
      </form>
      <form method="post" action={complete}>
        <input type="hidden" name="request" value={request} />
        <button className="quiet" name="error" value="access_denied">
          Cancel
        </button>
      </form>
    </>
  );
}
