// The end of a session. The SDK's own logout keeps the user until every wallet and then Dynamic have answered, and as
// long as a user is there it adds whoever signs in next to their account. So the session ends here first, at once; the
// wallets and Dynamic are told of it after.
import { fetchProjectSettings, getWalletAccounts } from "@dynamic-labs-sdk/client";
import { createApiClient, generateSessionKeys, getCore, getWalletProviderFromWalletAccount } from "@dynamic-labs-sdk/client/core";

const PATIENCE = 2_000; // milliseconds; who answers later is not waited for, but was told

/** Ends the session of this browser, and the one at Dynamic as soon as that answers. Raises if no new one can begin. */
export async function endSession(client) {
  const core = getCore(client);
  const wallets = walletsOf(client);
  const api = createApiClient({}, client); // made while there is a token: it keeps what it will send
  forget(core);
  const revoked = api.revokeSession({ environmentId: core.environmentId });
  const told = Promise.allSettled([revoked, ...wallets.map(async (one) => one.disconnect?.())]);
  fetchProjectSettings(client).catch(() => {}); // those of a session that was found may be old
  await generateSessionKeys(client);
  await Promise.race([told, new Promise((done) => setTimeout(done, PATIENCE))]);
}

function forget(core) {
  core.state.set({
    captchaToken: null,
    elevatedAccessTokens: [],
    legacyToken: null,
    mfaToken: null,
    sessionExpiresAt: null,
    sessionKeys: null,
    token: null,
    unverifiedWalletAccounts: [],
    user: null,
  });
  forgetStored(core.environmentId);
}

/** What another tab may have left: a later page would take it up, and the SDK adds a sign-in to whom it finds. */
export function forgetStored(environmentId) {
  window.localStorage.removeItem(`dynamic_${environmentId}_session`);
}

/** The wallets of the account that are in this browser. */
function walletsOf(client) {
  const found = new Set();
  for (const walletAccount of getWalletAccounts(client)) {
    try {
      found.add(getWalletProviderFromWalletAccount({ walletAccount }, client));
    } catch {
      // it is in another browser
    }
  }
  return [...found];
}
