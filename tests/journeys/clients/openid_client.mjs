// openid-client against the bridge: every check on, signatures of ID tokens among them.
import assert from "node:assert/strict";
import * as client from "openid-client";
import { cancel, changed, formPosted, open, signIn, worked } from "./browser.mjs";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, METHOD, REDIRECT_URI, AFTER, SUB } = process.env;
const authentication = {
  client_secret_basic: () => client.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: () => client.ClientSecretPost(CLIENT_SECRET),
  none: () => client.None(),
}[METHOD]();

const options = { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] };
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, undefined, authentication, options);
assert.equal(config.serverMetadata().issuer, ISSUER);
assert.ok(config.serverMetadata().supportsPKCE());
worked("discovery");

async function request(more = {}) {
  const pkceCodeVerifier = client.randomPKCECodeVerifier();
  const expectedState = client.randomState();
  const expectedNonce = client.randomNonce();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: REDIRECT_URI,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
    code_challenge_method: "S256",
    state: expectedState,
    nonce: expectedNonce,
    ...more,
  });
  return { url, checks: { pkceCodeVerifier, expectedState, expectedNonce, idTokenExpected: true } };
}

const redeem = (response, checks) => client.authorizationCodeGrant(config, response, checks);
const refusal = (error) => ({ name: "AuthorizationResponseError", code: "OAUTH_AUTHORIZATION_RESPONSE_ERROR", error });
const INVALID = { code: "OAUTH_INVALID_RESPONSE" };

async function silentlyRefused() {
  const { url, checks } = await request({ prompt: "none" });
  const page = await open(url);
  await assert.rejects(redeem(new URL(page.url), checks), refusal("login_required"));
}

await silentlyRefused();
worked("login_required");

{
  const { url, checks } = await request();
  await open(url);
  const page = await cancel();
  await assert.rejects(redeem(new URL(page.url), checks), refusal("access_denied"));
  worked("access_denied");
}

const { url, checks } = await request({ max_age: "600" });
await open(url);
const page = await signIn();
for (const iss of [undefined, `${ISSUER}/`, "https://evil.example"]) {
  await assert.rejects(redeem(changed(page.url, "iss", iss), checks), INVALID);
}
await assert.rejects(redeem(changed(page.url, "state", "other"), checks), INVALID);
worked("mix-up is noticed");

const tokens = await redeem(new URL(page.url), { ...checks, maxAge: 600 });
const claims = tokens.claims();
assert.equal(claims.sub, SUB);
assert.equal(claims.email, "demo@example.com");
assert.ok(tokens.expiresIn() > 0);
worked("code");

await assert.rejects(redeem(new URL(page.url), checks), { name: "ResponseBodyError", error: "invalid_grant", status: 400 });
await assert.rejects(client.fetchUserInfo(config, tokens.access_token, SUB), { code: "OAUTH_WWW_AUTHENTICATE_CHALLENGE" });
worked("a second use ends it");

const again = await request({ response_mode: "form_post", prompt: "none" });
const posted = await redeem(await formPosted(await open(again.url)), again.checks);
assert.equal(posted.claims().auth_time, claims.auth_time);
worked("form_post");

const failing = await request({ response_mode: "form_post", prompt: "none login" });
await assert.rejects(redeem(await formPosted(await open(failing.url)), failing.checks), refusal("invalid_request"));
worked("form_post of an error");

const userinfo = await client.fetchUserInfo(config, posted.access_token, SUB);
assert.equal(userinfo.name, "Demo");
worked("userinfo");

const renewed = await client.refreshTokenGrant(config, posted.refresh_token);
assert.notEqual(renewed.refresh_token, posted.refresh_token);
assert.equal(renewed.claims().sub, SUB);
assert.equal(renewed.claims().auth_time, claims.auth_time);
worked("refresh");

if (METHOD !== "none") {
  assert.equal((await client.tokenIntrospection(config, renewed.access_token)).active, true);
}
await client.tokenRevocation(config, renewed.refresh_token);
await assert.rejects(client.refreshTokenGrant(config, renewed.refresh_token), { error: "invalid_grant" });
if (METHOD !== "none") {
  assert.equal((await client.tokenIntrospection(config, renewed.access_token)).active, false);
}
worked("revocation");

const out = client.buildEndSessionUrl(config, {
  id_token_hint: renewed.id_token,
  post_logout_redirect_uri: AFTER,
  state: "after",
});
assert.equal((await open(out)).url, `${AFTER}?state=after`);
await silentlyRefused();
worked("end_session");

process.exit(0);
