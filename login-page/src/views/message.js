// One thing to say, and what can be done about it.
import { button, h, waiting } from "../dom.js";

/** `facts`: sentences for those who run the app. `actions`: [id, words, what to do], the first one stands out. */
export function messageView({ id, title, lead = "", facts = [], actions = [] }) {
  const made = actions.map(([name, words, press], place) => button({ id: name, kind: place ? "second" : "first" }, words, press));
  return {
    title,
    lead,
    body: [
      h(
        "div",
        { id },
        made.length ? h("div", { class: "actions" }, made) : null,
        facts.length ? h("div", { class: "facts" }, h("h2", {}, "If you run this app"), facts.map((fact) => h("p", {}, fact))) : null,
      ),
    ],
  };
}

export function busyView(title, words) {
  return { title, body: [waiting(words)], busy: true };
}
