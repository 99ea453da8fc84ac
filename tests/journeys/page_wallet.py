"""A wallet in the browser, as an extension puts one into every page (EIP-1193, announced by EIP-6963).

The page finds a provider; what it has to sign is signed here, by a real key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from browser.chromium import Chromium
from siwe_wallet import Wallet

NAME = "Test Wallet"
INJECTED = """
(() => {
  const [address, name] = [%(address)r, %(name)r];
  const asked = (window.walletAsks = []);
  const answers = {
    eth_chainId: () => "0x1",
    eth_accounts: () => [address],
    eth_requestAccounts: () => [address],
    wallet_revokePermissions: () => null,
  };
  const provider = {
    on() {},
    removeListener() {},
    removeAllListeners() {},
    request: ({ method, params }) =>
      method in answers
        ? Promise.resolve(answers[method]())
        : new Promise((answer, refuse) => asked.push({ method, params, answer, refuse })),
  };
  const icon = "data:image/svg+xml;utf8," + encodeURIComponent(
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#5b47d6"/>'
    + '<path d="M8 12h16v10H8z" fill="none" stroke="#fff" stroke-width="2.4" stroke-linejoin="round"/>'
    + '<circle cx="20" cy="17" r="1.8" fill="#fff"/></svg>');
  const info = Object.freeze({ uuid: crypto.randomUUID(), name, icon, rdns: "test.wallet" });
  const announce = () => window.dispatchEvent(
    new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
  window.addEventListener("eip6963:requestProvider", announce);
  announce();
})();
"""


@dataclass
class PageWallet:
    """The wallet, and what the page last asked it to sign."""

    browser: Chromium
    wallet: Wallet = field(default_factory=Wallet)

    @property
    def address(self) -> str:
        return self.wallet.address

    def asked_to_sign(self) -> str | None:
        """The text that the page wants signed, once it does."""
        asks = "window.walletAsks.filter(one => one.method === 'personal_sign').map(one => one.params[0])"
        return next(iter(self.browser.tell(asks)), None)

    def answer(self, signature: str) -> None:
        self.browser.driver.execute_script("window.walletAsks.shift().answer(arguments[0])", signature)

    def refuse(self, code: int) -> None:
        script = "window.walletAsks.shift().refuse(Object.assign(new Error('no'), { code: arguments[0] }))"
        self.browser.driver.execute_script(script, code)


@contextmanager
def installed_wallet(browser: Chromium, name: str = NAME) -> Iterator[PageWallet]:
    """A wallet that every page opened from now on finds."""
    wallet = PageWallet(browser)
    source = INJECTED % {"address": wallet.address, "name": name}
    added = browser.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": source})
    try:
        yield wallet
    finally:
        browser.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", added)
