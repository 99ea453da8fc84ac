// Where a sign-in begins: an e-mail address, a wallet, or an account elsewhere.
import { button, h, icon, ICONS, say } from "../dom.js";
import { isPhone, walletBrowsers } from "../phone.js";

const FEW = 3; // wallets that are shown before one asks for more

/**
 * @param {{config: import("../config.js").Config, methods: object, wallets: () => object[], email: string}} state
 * @param {{byEmail: Function, byWallet: Function, byProvider: Function}} go
 */
export function startView({ config, methods, wallets, email }, go) {
  const list = h("div", { id: "wallets" });
  const drawWallets = () => list.replaceChildren(...walletPart(wallets(), config, go));
  if (methods.wallets) drawWallets();
  const form = methods.email ? emailForm(email, go) : null;
  const parts = [form, methods.wallets ? list : null, providerPart(methods.providers, go)].filter(Boolean);
  return {
    title: `Sign in to ${config.appName}`,
    body: parts.length ? parts.flatMap((part, place) => (place === 1 && form ? [divider(), part] : [part])) : [nothing()],
    focus: isPhone() ? null : (form?.querySelector("input") ?? null),
    drawWallets: methods.wallets ? drawWallets : () => {},
  };
}

function emailForm(email, go) {
  const problem = h("p", { id: "email-problem", class: "problem", role: "alert" });
  const field = h("input", {
    id: "email",
    name: "email",
    type: "email",
    class: "field",
    autocomplete: "email",
    inputmode: "email",
    autocapitalize: "none",
    spellcheck: "false",
    required: true,
    placeholder: "name@example.com",
    value: email,
    "aria-describedby": "email-problem",
  });
  const complain = (text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", "true");
    field.focus();
  };
  const send = h("button", { id: "email-send", class: "button first" }, "Continue with e-mail");
  const form = h("form", { id: "email-form", novalidate: true }, h("label", { for: "email" }, "E-mail address"), field, problem, send);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-disabled") === "true") return;
    say("");
    problem.textContent = "";
    field.removeAttribute("aria-invalid");
    if (!field.value.trim() || !field.checkValidity()) {
      complain("Type your e-mail address, like name@example.com.");
      return;
    }
    send.setAttribute("aria-disabled", "true");
    try {
      await go.byEmail(field.value.trim(), complain);
    } finally {
      send.removeAttribute("aria-disabled");
    }
  });
  return form;
}

function walletPart(found, config, go) {
  if (found.length > 0) return [choices("Wallets in this browser", found.map((one) => walletChoice(one, go)), FEW)];
  if (isPhone()) return [browserPart(config)];
  return [h("p", { id: "no-wallet", class: "soft small centred" }, "No wallet was found in this browser.")];
}

function walletChoice(wallet, go) {
  const drawn = typeof wallet.icon === "string" && wallet.icon.startsWith("data:image/") ? h("img", { src: wallet.icon, alt: "", width: 28, height: 28 }) : icon(ICONS.wallet);
  return button({ kind: "choice", "data-wallet": wallet.name }, [drawn, h("bdi", {}, wallet.name)], () => go.byWallet(wallet));
}

/** Links to where this sign-in can begin inside a wallet. */
function browserPart(config) {
  const links = walletBrowsers(config.restartUrl).map(({ name, url }) =>
    h("a", { class: "button choice", href: url, rel: "noreferrer" }, icon(ICONS.wallet), name, icon(ICONS.out)),
  );
  return h("div", { id: "wallet-browsers" }, h("h2", {}, "Continue in your wallet’s browser"), h("ul", { class: "choices" }, links.map((one) => h("li", {}, one))));
}

function providerPart(providers, go) {
  if (providers.length === 0) return null;
  const made = providers.map(({ key, name, mark }) =>
    button(
      { kind: "choice", id: `provider-${key}` },
      [mark ? icon(mark, { filled: true }) : h("span", { class: "letter", "aria-hidden": "true" }, name[0]), name],
      () => go.byProvider(key, name),
    ),
  );
  return h("ul", { class: `choices providers${providers.length > 1 ? " pairs" : ""}`, "aria-label": "Accounts elsewhere" }, made.map((one) => h("li", {}, one)));
}

function choices(label, made, few) {
  const items = made.map((one) => h("li", {}, one));
  const list = h("ul", { class: "choices", "aria-label": label }, items);
  if (made.length <= few + 1) return list;
  const rest = items.slice(few);
  rest.forEach((one) => (one.hidden = true));
  const more = h("li", {}, button({ kind: "quiet", id: "more-wallets" }, `${rest.length} more wallets`, () => {
    rest.forEach((one) => (one.hidden = false));
    more.remove();
    rest[0].querySelector("button").focus();
  }));
  list.append(more);
  return list;
}

function divider() {
  return h("p", { class: "divider" }, h("span", {}, "or"));
}

function nothing() {
  return h("p", { id: "no-method", class: "soft centred" }, "There is no way to sign in on this page yet. The people who run the app have to enable one.");
}
