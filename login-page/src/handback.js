// The way back to the bridge: forms that stand in the page, posted by the browser itself.

const NOTE = "sign-in-handed-back";
const OTHERS = "sign-in";

/** Posts the token; the bridge answers with the way on. */
export function handBack(request, token) {
  sessionStorage.setItem(NOTE, request);
  const others = new BroadcastChannel(OTHERS);
  others.postMessage("signed in");
  others.close();
  const form = document.getElementById("hand-back");
  form.elements.token.value = token;
  form.submit();
}

/** Whether this very request had its token already, and the browser is here again: it was refused. Asked once. */
export function wasRefused(request) {
  const refused = sessionStorage.getItem(NOTE) === request;
  sessionStorage.removeItem(NOTE);
  return refused;
}

/** Another tab has signed in at Dynamic: this one does not know it before it is loaded anew. */
export function onSignInElsewhere(listener) {
  new BroadcastChannel(OTHERS).addEventListener("message", listener);
}
