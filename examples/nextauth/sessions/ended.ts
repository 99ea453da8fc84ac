import { and, eq, gte, inArray, lt, lte, sql } from "drizzle-orm";
import { db, logouts, sessions } from "./database";
import { claimsOf, type SignIn } from "./sign-in";

/** How long a session of NextAuth's lives that nobody ends, in seconds. */
export const MAX_AGE = 30 * 24 * 60 * 60;

/** Sessions that are over: those with this sid, or all of this user where there is none. */
export interface Logout {
  sid?: string;
  sub?: string;
  /** In seconds, by the bridge's clock. Who has signed in since stays. */
  at: number;
}

/** Ends sessions of both strategies: the rows go, and what a cookie holds is found on the list below from now on. */
export async function endSessions({ sid, sub, at }: Logout) {
  const subject = (sid ?? sub)!;
  const now = Math.floor(Date.now() / 1000);
  await db
    .insert(logouts)
    .values({ subject, at, keptUntil: now + MAX_AGE })
    .onConflictDoUpdate({
      target: logouts.subject,
      set: { at: sql`max(at, excluded.at)`, keptUntil: sql`max(keptUntil, excluded.keptUntil)` },
    });
  const theirs = sid ? eq(sessions.sid, sid) : eq(sessions.userId, subject);
  await db.delete(sessions).where(and(theirs, lte(sessions.signedInAt, at)));
  await db.delete(logouts).where(lt(logouts.keptUntil, now));
}

/** Whether the bridge has told that this sign-in is over. */
export async function hasEnded(signIn: SignIn): Promise<boolean> {
  const { sid, sub } = claimsOf(signIn);
  const told = await db
    .select({ at: logouts.at })
    .from(logouts)
    .where(and(inArray(logouts.subject, [sid, sub]), gte(logouts.at, signIn.signedInAt)))
    .limit(1);
  return told.length > 0;
}
