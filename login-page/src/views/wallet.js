// While a wallet asks its owner.
import { button, h, waiting } from "../dom.js";

export function walletView(wallet, go) {
  const picture = typeof wallet.icon === "string" && wallet.icon.startsWith("data:image/") ? h("img", { class: "wallet-picture", src: wallet.icon, alt: "", width: 56, height: 56 }) : null;
  const steps = h(
    "ol",
    { class: "steps small" },
    h("li", {}, "Choose the account that you want to sign in with."),
    h("li", {}, "Sign the message. It proves that the account is yours, costs nothing, and moves nothing."),
  );
  return {
    title: `Confirm in ${wallet.name}`,
    body: [picture, waiting("Waiting for your wallet"), steps, button({ kind: "quiet", id: "back" }, "Back", go.back)].filter(Boolean),
    busy: true,
  };
}
