// Building and swapping what the page shows. Text is only ever set as text.

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes by name, listeners by `on…`, then its children; what is null or false is left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== false && child !== undefined));
  return element;
}

/** An icon that is only drawn, of one path. `filled`: a brand's mark instead of a line. */
export function icon(path, { filled = false, size = 24 } = {}) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${size} ${size}`);
  svg.setAttribute("class", filled ? "mark" : "icon");
  svg.setAttribute("aria-hidden", "true");
  const drawn = document.createElementNS(SVG, "path");
  drawn.setAttribute("d", path);
  svg.append(drawn);
  return svg;
}

export const ICONS = {
  mail: "M5.5 5h13A2.5 2.5 0 0 1 21 7.5v9a2.5 2.5 0 0 1-2.5 2.5h-13A2.5 2.5 0 0 1 3 16.5v-9A2.5 2.5 0 0 1 5.5 5zM4 7.5l8 6 8-6",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20.5c1-4.2 4.1-6.5 8-6.5s7 2.3 8 6.5",
  wallet: "M18 7V5.5a2 2 0 0 0-2.5-1.9L5 6.3A2.6 2.6 0 0 0 3 9M6 7h12a3 3 0 0 1 3 3v7a3 3 0 0 1-3 3H6a3 3 0 0 1-3-3v-7a3 3 0 0 1 3-3zM16.5 13.5h.01",
  onward: "M9 5l7 7-7 7",
  out: "M14 4h6v6M20 4l-9 9M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4",
};

const found = (id) => document.getElementById(id);

/**
 * Shows a view in place of the one before.
 * @param {{title: string, lead?: string, body: Node[], focus?: HTMLElement, busy?: boolean}} view
 */
export function show({ title, lead = "", body, focus = null, busy = false }) {
  document.title = title;
  const heading = found("title");
  heading.textContent = title;
  heading.classList.toggle("long", title.length > 40);
  found("lead").textContent = lead;
  const stage = found("stage");
  stage.setAttribute("aria-busy", String(busy));
  stage.replaceChildren(...body);
  (focus ?? heading).focus({ preventScroll: true });
}

/** Says something that a screen reader reads too: `tone` "bad" at once, "calm" when it has time. Empty takes it away. */
export function say(text, tone = "calm") {
  const notice = found("notice");
  notice.className = text ? `notice ${tone}` : "notice";
  notice.replaceChildren(text);
}

/** A button that can be pressed once until what it does is done. */
export function button(attributes, text, press) {
  const { kind = "first", ...more } = attributes;
  const element = h("button", { type: "button", class: `button ${kind}`, ...more }, text);
  element.addEventListener("click", async () => {
    if (element.getAttribute("aria-disabled") === "true") return;
    element.setAttribute("aria-disabled", "true");
    try {
      await press();
    } finally {
      element.removeAttribute("aria-disabled");
    }
  });
  return element;
}

/** Dots that move, unless the user would rather not see that. */
export function waiting(text) {
  return h("p", { class: "waiting soft" }, h("span", { class: "dots", "aria-hidden": "true" }, h("i"), h("i"), h("i")), text);
}
