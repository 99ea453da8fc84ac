"use client";

import { EthereumWalletConnectors } from "@dynamic-labs/ethereum";
import { DynamicContextProvider, DynamicWidget, getAuthToken, useDynamicContext } from "@dynamic-labs/sdk-react-core";
import { useEffect, useRef, useState } from "react";

interface Props {
  /** The URL at the bridge that takes the token. */
  complete: string;
  request: string;
  /** Whoever is signed in to Dynamic already has to sign in again, or chooses whom to be. */
  anew: boolean;
}

export default function DynamicSignIn(props: Props) {
  const settings = {
    environmentId: process.env.NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID!,
    apiBaseUrl: process.env.NEXT_PUBLIC_DYNAMIC_API_BASE_URL,
    walletConnectors: [EthereumWalletConnectors],
  };
  return (
    <DynamicContextProvider settings={settings}>
      <DynamicWidget />
      <HandBack {...props} />
    </DynamicContextProvider>
  );
}

function HandBack({ complete, request, anew }: Props) {
  const { user, sdkHasLoaded, handleLogOut } = useDynamicContext();
  const [ready, setReady] = useState(!anew);
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    if (sdkHasLoaded && !ready) handleLogOut().then(() => setReady(true));
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
        <button name="error" value="access_denied">
          Cancel
        </button>
      </form>
    </>
  );
}
