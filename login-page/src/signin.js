// The sign-in, from the first look at Dynamic to the form that hands the token back.
import { Dynamic } from "./dynamic.js";
import { say, show } from "./dom.js";
import { Trouble, troubleOf, walletTrouble } from "./errors.js";
import { handBack, onSignInElsewhere, wasRefused } from "./handback.js";
import { methodsOf } from "./methods.js";
import { owedBy } from "./owed.js";
import { codeView } from "./views/code.js";
import { busyView, messageView } from "./views/message.js";
import { nameOf, personView } from "./views/person.js";
import { startView } from "./views/start.js";
import { walletView } from "./views/wallet.js";

const REFUSED = "That account could not be used here. You can try another one.";

export class SignIn {
  #config;
  #dynamic = null;
  #view = null;
  #email;

  /** @param {import("./config.js").Config} config */
  constructor(config) {
    this.#config = config;
    this.#email = config.loginHint?.includes("@") ? config.loginHint : "";
  }

  async begin() {
    this.#show(busyView(this.#title, "One moment"));
    try {
      this.#dynamic = await Dynamic.open(this.#config, { wallets: true });
    } catch {
      this.#unreachable();
      return;
    }
    if (this.#isUnusable()) return;
    this.#dynamic.onWallet(() => this.#view.drawWallets?.());
    this.#dynamic.onExpiry(() => this.#expired());
    onSignInElsewhere(() => this.#view.isStart && this.#view.isUntouched() && window.location.reload());
    await this.#resume();
  }

  /** Where the page stands: back from a provider, refused, asked to begin afresh, with a session, or at the start. */
  async #resume() {
    const here = new URL(window.location.href);
    const refused = wasRefused(this.#config.request);
    if (here.searchParams.has("dynamicOauthState")) {
      window.history.replaceState(null, "", withoutProvider(here)); // a code is good once, also for a reload
      await this.#backFromProvider(here);
    } else if (refused || this.#config.prompt === "login") {
      await this.#dynamic.logout();
      this.#start(refused && this.#config.prompt !== "login" ? REFUSED : "");
    } else if (this.#dynamic.user !== null) {
      this.#known();
    } else {
      this.#start();
    }
  }

  get #title() {
    return `Sign in to ${this.#config.appName}`;
  }

  #show(view) {
    this.#view = view;
    show(view);
  }

  #start(notice = "", tone = "bad") {
    const state = {
      config: this.#config,
      methods: methodsOf(this.#dynamic.settings),
      wallets: () => this.#dynamic.wallets,
      email: this.#email,
    };
    const view = startView(state, {
      byEmail: (email, complain) => this.#byEmail(email, complain),
      byWallet: (wallet) => this.#byWallet(wallet),
      byProvider: (key, name) => this.#byProvider(key, name),
    });
    const isUntouched = () => (document.getElementById("email")?.value ?? "") === this.#email;
    this.#show({ ...view, isStart: true, isUntouched });
    say(notice, tone);
  }

  async #byEmail(email, complain) {
    this.#email = email;
    try {
      const sent = await this.#dynamic.sendCode(email);
      this.#askCode(sent);
    } catch (error) {
      complain(this.#told(error).text);
    }
  }

  #askCode(sent) {
    let latest = sent;
    const view = codeView(sent.email, {
      check: async (code, complain) => {
        try {
          await this.#dynamic.signInByCode(latest, code);
        } catch (error) {
          complain(this.#told(error).text);
          return;
        }
        this.#finish();
      },
      again: async (complain) => {
        try {
          latest = await this.#dynamic.sendCode(sent.email);
          say("A new code is on its way.", "good");
        } catch (error) {
          complain(this.#told(error).text);
        }
      },
      back: () => this.#start(),
    });
    this.#show(view);
  }

  async #byWallet(wallet) {
    const view = walletView(wallet, { back: () => this.#start() });
    say("");
    this.#show(view);
    try {
      await this.#dynamic.signInByWallet(wallet.key);
    } catch (error) {
      if (this.#view === view) this.#start(walletTrouble(error, wallet.name, this.#dynamic).text);
      return;
    }
    if (this.#view === view) this.#finish();
  }

  async #byProvider(key, name) {
    this.#show(busyView(`Going to ${name}`, "You will be back here soon"));
    try {
      await this.#dynamic.leaveFor(key, window.location.href);
    } catch (error) {
      this.#start(this.#told(error).text);
    }
  }

  async #backFromProvider(url) {
    this.#show(busyView(this.#title, "Signing you in"));
    if (url.searchParams.has("error") || !(await this.#dynamic.cameBackFromProvider(url))) {
      this.#start("That sign-in was not finished. You can try again, or another way.");
      return;
    }
    try {
      await this.#dynamic.signInByProvider(url);
    } catch (error) {
      this.#start(this.#told(error).text);
      return;
    }
    this.#finish();
  }

  /** Somebody is signed in at Dynamic. */
  #known() {
    if (this.#isOwing()) return;
    const view = personView(this.#config, this.#dynamic.user, {
      on: () => this.#goOn(),
      another: () => this.#another(),
    });
    this.#show(view);
  }

  /** With a session that was found: Dynamic is asked first whether it still lives. */
  async #goOn() {
    const view = this.#view;
    say("");
    try {
      await this.#dynamic.renew();
    } catch (error) {
      if (this.#view !== view) return; // another account is used meanwhile
      const trouble = this.#told(error);
      if (trouble.kind === Trouble.UNREACHABLE) {
        say(trouble.text, "bad");
        return;
      }
      await this.#dynamic.logout();
      this.#start(trouble.kind === Trouble.ENDED ? trouble.text : REFUSED);
      return;
    }
    if (this.#view === view) this.#finish();
  }

  async #another() {
    this.#email = "";
    this.#show(busyView(this.#title, "One moment"));
    await this.#dynamic.logout();
    this.#start();
  }

  #expired() {
    this.#start("Your session has ended. Please sign in again.", "calm");
  }

  /** Signed in, just now or again. */
  #finish() {
    if (this.#isOwing()) return;
    if (this.#dynamic.token === null) {
      this.#cookieMode();
      return;
    }
    say("");
    this.#show(busyView(`Welcome, ${nameOf(this.#dynamic.user)}`, `Taking you to ${this.#config.appName}`));
    handBack(this.#config.request, this.#dynamic.token);
  }

  #isOwing() {
    const step = owedBy(this.#dynamic.user);
    if (step === null) return false;
    const view = messageView({
      id: "owed",
      title: step.title,
      lead: `${step.lead} Finish it where you otherwise sign in to ${this.#config.appName}, or use another account.`,
      facts: ["The app’s own sign-in page, with Dynamic’s widget, can ask for every step: set signin_url for this client."],
      actions: [["another", "Use another account", () => this.#another()]],
    });
    this.#show(view);
    return true;
  }

  /** Whether the environment is set up so that this page can do nothing with it. */
  #isUnusable() {
    const { settings } = this.#dynamic;
    if (settings.security?.auth?.storage?.includes("cookie")) this.#cookieMode();
    else if (this.#dynamic.demandsCaptcha) this.#captcha();
    else return false;
    return true;
  }

  #cookieMode() {
    const view = messageView({
      id: "cookie-mode",
      title: "Sign-in is not ready here",
      lead: "The people who run this app have a setting to change. You did nothing wrong.",
      facts: ["The Dynamic environment keeps its token in an HttpOnly cookie, so no page can hand it on. Switch it to local storage, or sign in on the app’s own page and exchange the token on its server."],
    });
    this.#show(view);
  }

  #captcha() {
    const view = messageView({
      id: "captcha",
      title: "Sign-in is not ready here",
      lead: "The people who run this app have a setting to change. You did nothing wrong.",
      facts: ["The Dynamic environment demands a captcha, which this page does not show. Turn it off, or set signin_url for this client: the app’s own page, with Dynamic’s widget, shows it."],
    });
    this.#show(view);
  }

  #unreachable() {
    const view = messageView({
      id: "unreachable",
      title: "Sign-in does not answer",
      lead: "The sign-in service cannot be reached. Check your connection and try again.",
      facts: [`If it goes on: Dynamic answers this page only if ${window.location.origin} is among the allowed origins of the environment.`],
      actions: [["retry", "Try again", () => window.location.reload()]],
    });
    this.#show(view);
  }

  #told(error) {
    return troubleOf(error, this.#dynamic);
  }
}

function withoutProvider(url) {
  const clean = new URL(url);
  for (const name of [...clean.searchParams.keys()]) {
    if (name.startsWith("dynamicOauth") || name.startsWith("error")) clean.searchParams.delete(name);
  }
  return clean;
}
