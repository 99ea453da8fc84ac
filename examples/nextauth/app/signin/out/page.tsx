import { redirect } from "next/navigation";
import { connection } from "next/server";
import { SignOutOfDynamic } from "../lazy";
import { dynamicSettings } from "../settings";

/** The bridge sends the browser here when it has signed out: what is left is the session at Dynamic. */
export default async function SignedOut() {
  await connection();
  const dynamic = dynamicSettings();
  if (!dynamic) redirect("/");
  return <SignOutOfDynamic dynamic={dynamic} />;
}
