import { createClient } from "@libsql/client";
import { drizzle } from "drizzle-orm/libsql";
import { integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";

const client = createClient({ url: process.env.DATABASE_URL ?? "file:sessions.db", timeout: 5000 });
export const db = drizzle(client);

/** A logout that the bridge told of: whoever signed in at this sid (or sub) up to then is signed out. */
export const logouts = sqliteTable("logout", {
  subject: text().primaryKey(),
  at: integer().notNull(),
  keptUntil: integer().notNull(), // no session of before is that old
});

/** The logout tokens that have been used, by jti. */
export const redeemed = sqliteTable("redeemed", {
  jti: text().primaryKey(),
  exp: integer().notNull(),
});

// What follows is for database sessions alone.

export const users = sqliteTable("user", {
  id: text().primaryKey(), // the user's sub
  name: text(),
  email: text().unique(),
  emailVerified: integer({ mode: "timestamp_ms" }),
  image: text(),
});

export const accounts = sqliteTable(
  "account",
  {
    userId: text()
      .notNull()
      .references(() => users.id, { onDelete: "cascade" }),
    type: text().$type<"oidc">().notNull(),
    provider: text().notNull(),
    providerAccountId: text().notNull(),
    refresh_token: text(),
    access_token: text(),
    expires_at: integer(),
    token_type: text(),
    scope: text(),
    id_token: text(),
    session_state: text(),
  },
  (account) => [primaryKey({ columns: [account.provider, account.providerAccountId] })],
);

export const sessions = sqliteTable("session", {
  sessionToken: text().primaryKey(),
  userId: text()
    .notNull()
    .references(() => users.id, { onDelete: "cascade" }),
  expires: integer({ mode: "timestamp_ms" }).notNull(),
  // What Auth.js knows nothing of: by which sid the bridge ends this session, and the sign-in it came of.
  sid: text().notNull(),
  idToken: text().notNull(),
  refreshToken: text().notNull(),
  signedInAt: integer().notNull(),
  renewAt: integer().notNull(),
});

/** An app has migrations in this place (drizzle-kit makes them). */
export async function createTables() {
  await client.executeMultiple(`
    CREATE TABLE IF NOT EXISTS logout (
      subject TEXT PRIMARY KEY, at INTEGER NOT NULL, keptUntil INTEGER NOT NULL
    );
    CREATE TABLE IF NOT EXISTS redeemed (jti TEXT PRIMARY KEY, exp INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS user (
      id TEXT PRIMARY KEY, name TEXT, email TEXT UNIQUE, emailVerified INTEGER, image TEXT
    );
    CREATE TABLE IF NOT EXISTS account (
      userId TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE, type TEXT NOT NULL,
      provider TEXT NOT NULL, providerAccountId TEXT NOT NULL, refresh_token TEXT, access_token TEXT,
      expires_at INTEGER, token_type TEXT, scope TEXT, id_token TEXT, session_state TEXT,
      PRIMARY KEY (provider, providerAccountId)
    );
    CREATE TABLE IF NOT EXISTS session (
      sessionToken TEXT PRIMARY KEY, userId TEXT NOT NULL REFERENCES user (id) ON DELETE CASCADE,
      expires INTEGER NOT NULL, sid TEXT NOT NULL, idToken TEXT NOT NULL, refreshToken TEXT NOT NULL,
      signedInAt INTEGER NOT NULL, renewAt INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS session_sid ON session (sid);
  `);
}
