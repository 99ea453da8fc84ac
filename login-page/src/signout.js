// After a sign-out at the bridge: the session that this page holds at Dynamic ends too, and the browser goes on.
import { Dynamic } from "./dynamic.js";

const PATIENCE = 4_000; // milliseconds

/** @param {import("./config.js").Config} config */
export async function signOut(config) {
  const late = new Promise((done) => setTimeout(done, PATIENCE));
  await Promise.race([endSession(config).catch(() => {}), late]);
  document.documentElement.dataset.signedOut = "";
  if (config.next !== null) window.location.replace(config.next);
}

async function endSession(config) {
  const dynamic = await Dynamic.open(config, { wallets: false });
  await dynamic.logout();
}
