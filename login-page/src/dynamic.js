// All that is asked of Dynamic's SDK.
import "./quiet.js";
import {
  authenticateWithSocial,
  completeSocialAuthentication,
  connectAndVerifyWithWalletProvider,
  createDynamicClient,
  detectOAuthRedirect,
  getAvailableWalletProvidersData,
  initializeClient,
  isCaptchaRequired,
  onEvent,
  refreshAuth,
  sendEmailOTP,
  verifyOTP,
} from "@dynamic-labs-sdk/client";
import { addEIP6963Extension } from "@dynamic-labs-sdk/evm/eip6963";
import { StillSignedIn } from "./errors.js";
import { endSession, forgetStored } from "./session.js";
import { Wire } from "./wire.js";

const LONGEST_NAME = 40;

/** The session of one environment in this browser. */
export class Dynamic {
  #client;
  #wire;
  #environmentId;

  /** Raises what the SDK raises if Dynamic does not answer. `wallets`: whether they are looked for. */
  static async open({ environmentId, apiBaseUrl, appName }, { wallets }) {
    const wire = new Wire(apiBaseUrl);
    const client = createDynamicClient({
      environmentId,
      autoInitialize: false,
      metadata: { name: appName, universalLink: window.location.origin },
      instrumentation: { enabled: false },
      logLevel: "off",
      coreConfig: { apiBaseUrl, fetch: wire.fetch },
    });
    if (wallets) addEIP6963Extension(client);
    await initializeClient(client);
    return new Dynamic(client, wire, environmentId);
  }

  constructor(client, wire, environmentId) {
    this.#client = client;
    this.#wire = wire;
    this.#environmentId = environmentId;
  }

  get user() {
    return this.#client.user;
  }

  get settings() {
    return this.#client.projectSettings;
  }

  /** The JWT to hand back: the full one where it was seen, else the small one; null in cookie mode. */
  get token() {
    return this.#client.token === null ? null : (this.#wire.fullToken ?? this.#client.token);
  }

  get retryAfter() {
    return this.#wire.retryAfter;
  }

  get demandsCaptcha() {
    return isCaptchaRequired(this.#client);
  }

  /** @returns {{key: string, name: string, icon: string}[]} the wallets of this browser that have announced themselves. */
  get wallets() {
    return getAvailableWalletProvidersData(this.#client).map(({ key, metadata }) => ({
      key,
      name: String(metadata.displayName).slice(0, LONGEST_NAME), // whatever extension is installed may say anything
      icon: metadata.icon,
    }));
  }

  onWallet(listener) {
    onEvent({ event: "walletProviderRegistered", listener }, this.#client);
  }

  /** Called when the session ends by itself, never for a logout that was asked for here. */
  onExpiry(listener) {
    onEvent({ event: "logout", listener }, this.#client);
  }

  /** Sends a code; returns what `signInByCode` needs beside it. Like every sign-in, raises StillSignedIn if it must. */
  async sendCode(email) {
    await this.#alone();
    return sendEmailOTP({ email }, this.#client);
  }

  async signInByCode(sent, code) {
    await this.#alone();
    await verifyOTP({ otpVerification: sent, verificationToken: code }, this.#client);
  }

  async signInByWallet(key) {
    await this.#alone();
    await connectAndVerifyWithWalletProvider({ walletProviderKey: key }, this.#client);
  }

  /** Leaves the page; Dynamic leads back to `redirectUrl`. */
  async leaveFor(provider, redirectUrl) {
    await this.#alone();
    await authenticateWithSocial({ provider, redirectUrl }, this.#client);
  }

  cameBackFromProvider(url) {
    return detectOAuthRedirect({ url }, this.#client);
  }

  async signInByProvider(url) {
    await this.#alone();
    await completeSocialAuthentication({ url }, this.#client);
  }

  /** Asks Dynamic whether a session that was found here still lives. */
  async renew() {
    await refreshAuth(this.#client);
  }

  /** Nothing if nobody is signed in. Never raises: whoever signs in next is refused if anybody is still there. */
  async logout() {
    this.#wire.fullToken = null;
    if (this.#client.user === null && this.#client.token === null) return;
    this.#wire.cut(); // an answer that is still on its way would bring the user back
    await endSession(this.#client).catch(() => {});
  }

  /** Nobody is signed in after this: with a user there, the SDK would add what comes next to their account. */
  async #alone() {
    await this.logout();
    forgetStored(this.#environmentId);
    if (this.#client.user !== null || this.#client.token !== null) throw new StillSignedIn();
  }
}
