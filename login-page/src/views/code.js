// The code that was sent by e-mail.
import { button, h, say } from "../dom.js";

const LENGTH = 6;

/** `go.check(code, complain)`, `go.again(complain)`, `go.back()`. */
export function codeView(email, go) {
  const problem = h("p", { id: "code-problem", class: "problem", role: "alert" });
  const field = h("input", {
    id: "code",
    name: "code",
    class: "field code-field",
    inputmode: "numeric",
    autocomplete: "one-time-code",
    maxlength: LENGTH,
    required: true,
    "aria-describedby": "code-problem",
  });
  const complain = (text) => {
    problem.textContent = text;
    field.setAttribute("aria-invalid", "true");
    field.value = "";
    field.focus();
  };
  const send = h("button", { id: "code-send", class: "button first" }, "Continue");
  const form = h("form", { id: "code-form", novalidate: true }, h("label", { for: "code" }, "Code"), field, problem, send);

  let checking = false;
  const check = async () => {
    if (checking) return;
    say("");
    problem.textContent = "";
    field.removeAttribute("aria-invalid");
    if (field.value.length !== LENGTH) {
      complain(`The code has ${LENGTH} digits.`);
      return;
    }
    checking = true;
    send.setAttribute("aria-disabled", "true");
    try {
      await go.check(field.value, complain);
    } finally {
      checking = false;
      send.removeAttribute("aria-disabled");
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    check();
  });
  field.addEventListener("input", () => {
    field.value = field.value.replace(/\D/g, "").slice(0, LENGTH);
    if (field.value.length === LENGTH) check();
  });

  const again = button({ kind: "quiet", id: "code-again" }, "Send a new code", () => {
    field.value = "";
    return go.again(complain);
  });
  const back = button({ kind: "quiet", id: "back" }, "Change address", go.back);
  return {
    title: "Check your e-mail",
    lead: `We sent a code to ${email}`,
    body: [form, h("div", { class: "beside" }, again, back)],
    focus: field,
  };
}
