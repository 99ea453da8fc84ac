// The browser is in the test's process. Each step of it is asked for by a line of JSON on stdout, and answered by one on
// stdin that says where the window is now, what is on the page, and what a form posted to the app.
import { createInterface } from "node:readline";

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

async function ask(step, ...words) {
  say({ step, words });
  const { value, done } = await answers.next();
  if (done) throw new Error("the browser has gone");
  return JSON.parse(value);
}

function say(message) {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

export const open = (url) => ask("open", String(url));
export const press = (id) => ask("press", id);
export const signIn = () => ask("sign_in");
export const cancel = () => ask("cancel");

// What has been seen to work, for the test to compare with what it expects.
export const worked = (what) => say({ worked: what });

// The response of form_post mode, as the app gets it.
export async function formPosted(page) {
  if (!page.ids.includes("form-post")) throw new Error(`no form to post at ${page.url}`);
  const { url, posted } = await press("form-post-continue");
  return new Request(url, { method: "POST", body: new URLSearchParams(posted) });
}

// The callback as it came, with one parameter changed, or taken away.
export function changed(url, name, value) {
  const other = new URL(url);
  if (value === undefined) other.searchParams.delete(name);
  else other.searchParams.set(name, value);
  return other;
}
