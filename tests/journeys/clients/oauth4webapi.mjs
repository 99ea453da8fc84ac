// oauth4webapi against the bridge: every response validated, the access token by RFC 9068 as a resource server does.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import { cancel, changed, formPosted, open, signIn, worked } from "./browser.mjs";

const { ISSUER, CLIENT_ID, CLIENT_SECRET, METHOD, REDIRECT_URI, AFTER, SUB } = process.env;
const authentication = {
  client_secret_basic: () => oauth.ClientSecretBasic(CLIENT_SECRET),
  client_secret_post: () => oauth.ClientSecretPost(CLIENT_SECRET),
  none: () => oauth.None(),
}[METHOD]();
const client = { client_id: CLIENT_ID };
const http = { [oauth.allowInsecureRequests]: true };

for (const algorithm of ["oidc", "oauth2"]) {
  const answer = await oauth.discoveryRequest(new URL(ISSUER), { algorithm, ...http });
  await oauth.processDiscoveryResponse(new URL(ISSUER), answer);
}
worked("discovery");
await assert.rejects(
  oauth.processDiscoveryResponse(new URL(`${ISSUER}/other`), await oauth.discoveryRequest(new URL(ISSUER), http)),
  { code: "OAUTH_JSON_ATTRIBUTE_COMPARISON_FAILED" },
);
worked("another issuer is noticed");
const server = await oauth.processDiscoveryResponse(
  new URL(ISSUER),
  await oauth.discoveryRequest(new URL(ISSUER), http),
);

async function request(more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const nonce = oauth.generateRandomNonce();
  const url = new URL(server.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    response_type: "code",
    scope: "openid profile email offline_access",
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
    ...more,
  });
  return { url, verifier, state, nonce };
}

const validated = (parameters, { state }) => oauth.validateAuthResponse(server, client, parameters, state);

async function redeem(parameters, asked, more = {}) {
  const answer = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    authentication,
    validated(parameters, asked),
    REDIRECT_URI,
    asked.verifier,
    http,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, answer, {
    expectedNonce: asked.nonce,
    requireIdToken: true,
    ...more,
  });
  await oauth.validateApplicationLevelSignature(server, answer, http);
  return tokens;
}

const refusal = (error) => ({ name: "AuthorizationResponseError", code: oauth.AUTHORIZATION_RESPONSE_ERROR, error });

async function silentlyRefused() {
  const asked = await request({ prompt: "none" });
  const page = await open(asked.url);
  assert.throws(() => validated(new URL(page.url), asked), refusal("login_required"));
}

await silentlyRefused();
worked("login_required");

{
  const asked = await request();
  await open(asked.url);
  const page = await cancel();
  assert.throws(() => validated(new URL(page.url), asked), refusal("access_denied"));
  worked("access_denied");
}

const asked = await request({ max_age: "600" });
await open(asked.url);
const page = await signIn();
for (const iss of [undefined, `${ISSUER}/`, "https://evil.example"]) {
  assert.throws(() => validated(changed(page.url, "iss", iss), asked), { code: oauth.INVALID_RESPONSE });
}
assert.throws(() => validated(changed(page.url, "state", "other"), asked), { code: oauth.INVALID_RESPONSE });
worked("mix-up is noticed");

const tokens = await redeem(new URL(page.url), asked, { maxAge: 600 });
const claims = oauth.getValidatedIdTokenClaims(tokens);
assert.equal(claims.sub, SUB);
assert.equal(claims.email, "demo@example.com");
worked("code");

const brought = new Request("https://api.example.com/", { headers: { authorization: `Bearer ${tokens.access_token}` } });
const access = await oauth.validateJwtAccessToken(server, brought, ISSUER, http);
assert.equal(access.sub, SUB);
assert.equal(access.client_id, client.client_id);
worked("RFC 9068");

await assert.rejects(redeem(new URL(page.url), asked), { code: oauth.RESPONSE_BODY_ERROR, error: "invalid_grant", status: 400 });
const userinfoOf = async ({ access_token }) =>
  oauth.processUserInfoResponse(server, client, SUB, await oauth.userInfoRequest(server, client, access_token, http));
await assert.rejects(userinfoOf(tokens), { code: oauth.WWW_AUTHENTICATE_CHALLENGE, status: 401 });
worked("a second use ends it");

const again = await request({ response_mode: "form_post", prompt: "none" });
const formOf = async (page) => new URLSearchParams(await oauth.formPostResponse(await formPosted(page)));
const posted = await redeem(await formOf(await open(again.url)), again);
assert.equal(oauth.getValidatedIdTokenClaims(posted).auth_time, claims.auth_time);
worked("form_post");

const failing = await request({ response_mode: "form_post", prompt: "none login" });
const refused = await formOf(await open(failing.url));
assert.throws(() => validated(refused, failing), refusal("invalid_request"));
worked("form_post of an error");

assert.equal((await userinfoOf(posted)).name, "Demo");
worked("userinfo");

async function refresh(token) {
  const answer = await oauth.refreshTokenGrantRequest(server, client, authentication, token, http);
  const renewed = await oauth.processRefreshTokenResponse(server, client, answer);
  await oauth.validateApplicationLevelSignature(server, answer, http);
  return renewed;
}

const renewed = await refresh(posted.refresh_token);
assert.notEqual(renewed.refresh_token, posted.refresh_token);
assert.equal(oauth.getValidatedIdTokenClaims(renewed).auth_time, claims.auth_time);
worked("refresh");

async function isActive(token) {
  const answer = await oauth.introspectionRequest(server, client, authentication, token, http);
  return (await oauth.processIntrospectionResponse(server, client, answer)).active;
}

if (METHOD !== "none") assert.equal(await isActive(renewed.access_token), true);
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, authentication, renewed.refresh_token, http),
);
await assert.rejects(refresh(renewed.refresh_token), { code: oauth.RESPONSE_BODY_ERROR, error: "invalid_grant" });
if (METHOD !== "none") assert.equal(await isActive(renewed.access_token), false);
worked("revocation");

const out = new URL(server.end_session_endpoint);
out.search = new URLSearchParams({ id_token_hint: renewed.id_token, post_logout_redirect_uri: AFTER, state: "after" });
assert.equal((await open(out)).url, `${AFTER}?state=after`);
await silentlyRefused();
worked("end_session");

process.exit(0);
