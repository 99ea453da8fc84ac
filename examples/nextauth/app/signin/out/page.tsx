import { redirect } from "next/navigation";
import { SignOutOfDynamic } from "../lazy";

/** The bridge sends the browser here when it has signed out: what is left is the session at Dynamic. */
export default function SignedOut() {
  if (!process.env.NEXT_PUBLIC_DYNAMIC_ENVIRONMENT_ID) redirect("/");
  return <SignOutOfDynamic />;
}
