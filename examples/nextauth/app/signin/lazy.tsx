"use client";

import dynamic from "next/dynamic";

// Dynamic's SDK is large and for browsers alone: no other page loads it, and the server does not run it.
export const SignInWithDynamic = dynamic(() => import("./sign-in-with-dynamic"), { ssr: false });
export const SignOutOfDynamic = dynamic(() => import("./out/sign-out-of-dynamic"), { ssr: false });
