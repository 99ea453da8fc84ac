// What the bridge tells its page: a block of JSON in the page itself.

/**
 * @typedef {object} Config
 * @property {"signin" | "signout"} page
 * @property {string} environmentId
 * @property {string} apiBaseUrl
 * @property {string} appName
 * @property {string | null} request   the authorization request that the sign-in is for
 * @property {string | null} prompt    "login": log out of Dynamic first
 * @property {string | null} loginHint
 * @property {string | null} restartUrl where another browser has to begin
 * @property {string | null} next      where the browser goes after a sign-out
 */

/** @returns {Config} */
export function readConfig() {
  return JSON.parse(document.getElementById("config").textContent);
}
