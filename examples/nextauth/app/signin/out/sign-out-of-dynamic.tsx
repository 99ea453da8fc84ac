"use client";

import { useDynamicContext } from "@dynamic-labs/sdk-react-core";
import { useRouter } from "next/navigation";
import { useEffect } from "react";
import { DynamicProvider } from "../provider";
import type { DynamicSettings } from "../settings";

export default function SignOutOfDynamic({ dynamic }: { dynamic: DynamicSettings }) {
  return (
    <DynamicProvider {...dynamic}>
      <SignOut />
    </DynamicProvider>
  );
}

function SignOut() {
  const { sdkHasLoaded, handleLogOut } = useDynamicContext();
  const router = useRouter();
  useEffect(() => {
    if (sdkHasLoaded) handleLogOut().finally(() => router.replace("/"));
  }, [sdkHasLoaded, handleLogOut, router]);
  return <p>Signing out …</p>;
}
