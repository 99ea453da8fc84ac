// Somebody is signed in at Dynamic already: they say whether it is them. Nothing is handed on before. No button has the
// focus at first: an Enter that is held down on the page before would press it.
import { button, h, icon, ICONS } from "../dom.js";

export function personView(config, user, go) {
  const first = button({ id: "continue", "aria-describedby": "who" }, "Continue", go.on);
  return {
    title: `Sign in to ${config.appName}`,
    body: [
      h("div", { class: "person" }, icon(ICONS.person), h("div", {}, h("span", { class: "label" }, "Continue as"), h("strong", { id: "who" }, h("bdi", {}, nameOf(user))))),
      h("div", { class: "actions" }, first, button({ kind: "second", id: "another" }, "Use another account", go.another)),
    ],
  };
}

/** How people know their account. */
export function nameOf(user) {
  const wallet = user.verifiedCredentials?.find((one) => one.format === "blockchain")?.address;
  const full = [user.firstName, user.lastName].filter(Boolean).join(" ");
  return user.email || full || user.username || user.alias || (wallet && `${wallet.slice(0, 6)}…${wallet.slice(-4)}`) || "your account";
}
