"use client";

import dynamic from "next/dynamic";

// Dynamic's SDK is large and for browsers alone: no other page loads it, and the server does not run it.
export const OwnSignIn = dynamic(() => import("./dynamic-sign-in"), { ssr: false, loading: () => <p>One moment …</p> });
