"use client";

import { EthereumWalletConnectors } from "@dynamic-labs/ethereum";
import { DynamicContextProvider } from "@dynamic-labs/sdk-react-core";
import type { PropsWithChildren } from "react";

const settings = {
  environmentId: process.env.NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID!,
  apiBaseUrl: process.env.NEXT_PUBLIC_DYNAMIC_API_BASE_URL, // where it is not Dynamic's own
  walletConnectors: [EthereumWalletConnectors],
};

export function DynamicProvider({ children }: PropsWithChildren) {
  return <DynamicContextProvider settings={settings}>{children}</DynamicContextProvider>;
}
