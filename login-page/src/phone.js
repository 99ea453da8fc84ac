// On a phone a wallet is an app of its own, with a browser inside. These are the links by which the wallets' makers let
// a page be opened there. The sign-in has to begin anew in that browser: an authorization request belongs to the one
// that began it.

const WALLETS = [
  ["MetaMask", (url) => `https://metamask.app.link/dapp/${url.replace(/^https?:\/\//, "")}`],
  ["Coinbase Wallet", (url) => `https://go.cb-w.com/dapp?cb_url=${encodeURIComponent(url)}`],
  ["Trust Wallet", (url) => `https://link.trustwallet.com/open_url?coin_id=60&url=${encodeURIComponent(url)}`],
  ["Phantom", (url) => `https://phantom.app/ul/browse/${encodeURIComponent(url)}?ref=${encodeURIComponent(new URL(url).origin)}`],
];

/** @returns {{name: string, url: string}[]} */
export function walletBrowsers(url) {
  return WALLETS.map(([name, link]) => ({ name, url: link(url) }));
}

export function isPhone() {
  return window.matchMedia("(hover: none) and (pointer: coarse)").matches;
}
