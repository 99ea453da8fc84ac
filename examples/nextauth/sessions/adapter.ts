import { DrizzleAdapter } from "@auth/drizzle-adapter";
import { eq } from "drizzle-orm";
import type { Adapter } from "next-auth/adapters";
import { current } from "./current";
import { accounts, db, sessions, users } from "./database";
import { claimsOf, type SignIn } from "./sign-in";

const drizzle = DrizzleAdapter(db, { usersTable: users, accountsTable: accounts, sessionsTable: sessions });

/**
 * Auth.js's adapter, for sessions that know which sign-in they came of.
 *
 * `opening` answers with the sign-in that this request completes, if it does: Auth.js does not pass it on.
 */
export function adapterFor(opening: () => SignIn | undefined): Adapter {
  return {
    ...drizzle,
    createUser: (user) => drizzle.createUser!({ ...user, id: claimsOf(opening()!).sub }),
    createSession(session) {
      const signIn = opening()!;
      const row = { ...session, ...signIn, sid: claimsOf(signIn).sid, expires: endOf(signIn, session.expires) };
      return stored(drizzle.createSession!(row));
    },
    async getSessionAndUser(sessionToken) {
      const found = await drizzle.getSessionAndUser!(sessionToken);
      if (!found) return null;
      const row = found.session as typeof found.session & SignIn;
      // Auth.js would keep a session that it finds at a sign-in; the new one has a sid of its own.
      const signIn = opening() ? null : await current(row);
      if (signIn === null) {
        await drizzle.deleteSession!(sessionToken);
        return null;
      }
      if (signIn === row) return found;
      const { idToken, refreshToken, renewAt } = signIn;
      const session = { ...row, idToken, refreshToken, renewAt, expires: endOf(signIn, row.expires) };
      await stored(db.update(sessions).set(session).where(eq(sessions.sessionToken, sessionToken)));
      return { user: found.user, session };
    },
    // Auth.js would put off the end of a session that is used.
    updateSession: async () => null,
  };
}

/** Drizzle's errors repeat what was to be stored, tokens too, and Auth.js logs errors. */
async function stored<T>(row: T | PromiseLike<T>): Promise<T> {
  try {
    return await row;
  } catch {
    throw new Error("The session could not be stored.");
  }
}

/** The session ends with the one at the bridge. */
function endOf(signIn: SignIn, otherwise: Date): Date {
  const { session_expiry: end } = claimsOf(signIn);
  return end ? new Date(end * 1000) : otherwise;
}

/** The sign-in of the session with this token. */
export async function signInOf(sessionToken: string): Promise<SignIn | null> {
  const [row] = await db.select().from(sessions).where(eq(sessions.sessionToken, sessionToken));
  return row ?? null;
}
