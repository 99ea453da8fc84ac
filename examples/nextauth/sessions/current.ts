import { hasEnded } from "./ended";
import { claimsOf, renewed, type SignIn } from "./sign-in";

/** The sign-in as it is now, with new tokens if it is time or `renewNow`; null, which ends the session, once it is over. */
export async function current(signIn: SignIn, renewNow = false): Promise<SignIn | null> {
  const now = Date.now() / 1000;
  const { session_expiry: end } = claimsOf(signIn);
  if ((end && end <= now) || (await hasEnded(signIn))) return null;
  return renewNow || signIn.renewAt <= now ? renewed(signIn) : signIn;
}
