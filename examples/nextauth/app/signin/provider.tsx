"use client";

import { EthereumWalletConnectors } from "@dynamic-labs/ethereum";
import { DynamicContextProvider } from "@dynamic-labs/sdk-react-core";
import type { PropsWithChildren } from "react";
import type { DynamicSettings } from "./settings";

export function DynamicProvider({ children, ...settings }: PropsWithChildren<DynamicSettings>) {
  return (
    <DynamicContextProvider settings={{ ...settings, walletConnectors: [EthereumWalletConnectors] }}>
      {children}
    </DynamicContextProvider>
  );
}
