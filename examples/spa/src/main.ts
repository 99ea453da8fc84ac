import { UserManager, type User } from "oidc-client-ts";

const here = `${location.origin}/`;

// Tokens stay in this tab's session storage; shortly before they expire, the refresh token brings new ones.
const manager = new UserManager({
  authority: import.meta.env.VITE_ISSUER,
  client_id: import.meta.env.VITE_CLIENT_ID,
  redirect_uri: here,
  post_logout_redirect_uri: here,
  scope: "openid profile email wallets offline_access",
});

const element = (id: string) => document.getElementById(id)!;

function show(user: User | null) {
  element("sign-in").hidden = user !== null;
  element("signed-in").hidden = user === null;
  if (!user) return;
  element("email").textContent = user.profile.email ?? "no e-mail";
  element("wallet").textContent = String(user.profile.wallet_address ?? "none");
  element("expires").textContent = new Date(user.expires_at! * 1000).toLocaleTimeString();
}

function complain(problem: Error) {
  element("problem").textContent = problem.message;
}

element("sign-in").onclick = () => manager.signinRedirect().catch(complain);
element("renew").onclick = () => manager.signinSilent().catch(complain);
element("sign-out").onclick = () => manager.signoutRedirect().catch(complain);

manager.events.addUserLoaded(show);
manager.events.addUserUnloaded(() => show(null));
manager.events.addSilentRenewError(complain);
manager.events.addAccessTokenExpired(() => manager.removeUser());

async function start() {
  const answer = new URLSearchParams(location.search);
  if (answer.has("code") || answer.has("error")) {
    history.replaceState(null, "", here);
    await manager.signinCallback(`${here}?${answer}`);
  }
  show(await manager.getUser());
}

start().catch((problem) => {
  complain(problem);
  show(null);
});
