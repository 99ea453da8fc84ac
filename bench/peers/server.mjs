// A provider of the same job: npm's oidc-provider with an RFC 8693 grant and better-sqlite3, configured as their
// documentation advises (an adapter of one's own, NODE_ENV=production; WAL, synchronous=NORMAL, prepared statements).
//
//   node server.mjs PORT FOLDER < settings.json
//
// settings: {jwks, clients: [{client_id, client_secret, alg}], assertion_key (PEM), assertion_issuer, assertion_audience}

import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import Database from 'better-sqlite3';
import { jwtVerify } from 'jose';
import Provider, { errors } from 'oidc-provider';

const [port, folder] = process.argv.slice(2);
const settings = JSON.parse(readFileSync(0, 'utf8'));
const issuer = `http://127.0.0.1:${port}`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const SCOPES = ['openid', 'profile', 'email', 'wallets', 'offline_access'];

const db = new Database(`${folder}/peer.db`);
db.pragma('journal_mode = WAL');
db.pragma('synchronous = NORMAL');
db.exec(`
  CREATE TABLE kept (kind TEXT, id TEXT, payload TEXT NOT NULL, grant_id TEXT, uid TEXT, expires_at INTEGER, consumed INTEGER,
                     PRIMARY KEY (kind, id)) WITHOUT ROWID;
  CREATE INDEX kept_grant ON kept (grant_id);
  CREATE INDEX kept_uid ON kept (uid);
  CREATE TABLE users (sub TEXT PRIMARY KEY, claims TEXT NOT NULL, told_at INTEGER NOT NULL) WITHOUT ROWID;
`);
const put = db.prepare('INSERT OR REPLACE INTO kept VALUES (?, ?, ?, ?, ?, ?, NULL)');
const get = db.prepare('SELECT payload, consumed FROM kept WHERE kind = ? AND id = ? AND (expires_at IS NULL OR expires_at > ?)');
const getByUid = db.prepare('SELECT id, payload, consumed FROM kept WHERE kind = ? AND uid = ?');
const consume = db.prepare('UPDATE kept SET consumed = ? WHERE kind = ? AND id = ?');
const remove = db.prepare('DELETE FROM kept WHERE kind = ? AND id = ?');
const revoke = db.prepare('DELETE FROM kept WHERE grant_id = ?');
const findUser = db.prepare('SELECT claims FROM users WHERE sub = ?');
const keepUser = db.prepare(`
  INSERT INTO users VALUES (?, ?, ?) ON CONFLICT (sub) DO UPDATE SET claims = excluded.claims, told_at = excluded.told_at
  WHERE excluded.told_at > users.told_at`);
const now = () => Math.floor(Date.now() / 1000);

class Adapter {
  constructor(kind) { this.kind = kind; }
  async upsert(id, payload, expiresIn) {
    put.run(this.kind, id, JSON.stringify(payload), payload.grantId ?? null, payload.uid ?? null, expiresIn ? now() + expiresIn : null);
  }
  async find(id) { return this.read(get.get(this.kind, id, now())); }
  async findByUid(uid) { return this.read(getByUid.get(this.kind, uid)); }
  async findByUserCode() { return undefined; }
  async consume(id) { consume.run(now(), this.kind, id); }
  async destroy(id) { remove.run(this.kind, id); }
  async revokeByGrantId(grantId) { revoke.run(grantId); }
  read(row) { return row && { ...JSON.parse(row.payload), ...(row.consumed ? { consumed: row.consumed } : undefined) }; }
}

async function findAccount(ctx, sub) {
  const row = findUser.get(sub);
  return row && { accountId: sub, async claims() { return { sub, ...JSON.parse(row.claims) }; } };
}

const algOf = (client) => client.idTokenSignedResponseAlg;
const provider = new Provider(issuer, {
  adapter: Adapter,
  jwks: settings.jwks,
  clients: settings.clients.map(({ client_id, client_secret, alg }) => ({
    client_id,
    client_secret,
    token_endpoint_auth_method: 'client_secret_post',
    grant_types: [EXCHANGE, 'refresh_token', 'authorization_code'],
    response_types: ['code'],
    redirect_uris: ['http://localhost:3000/callback'],
    id_token_signed_response_alg: alg,
    scope: SCOPES.join(' '),
  })),
  scopes: SCOPES,
  claims: {
    openid: ['sub'],
    profile: ['name', 'given_name', 'family_name', 'preferred_username', 'picture'],
    email: ['email', 'email_verified'],
    wallets: ['wallets', 'wallet_address'],
  },
  conformIdTokenClaims: false,
  clientAuthMethods: ['client_secret_post', 'client_secret_basic', 'none'],
  enabledJWA: { idTokenSigningAlgValues: ['RS256', 'ES256'] },
  rotateRefreshToken: true,
  ttl: { AccessToken: 600, IdToken: 600, RefreshToken: 14 * 86400, Grant: 30 * 86400 },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: async () => true },
    revocation: { enabled: true },
    userinfo: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, resource, client) => ({
        scope: SCOPES.join(' '),
        audience: resource,
        accessTokenTTL: 600,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: algOf(client) } },
      }),
    },
  },
  findAccount,
});

// What is checked of a Dynamic token: signature, times, issuer, the page's origin, and that the sign-in is complete.
const key = createPublicKey(settings.assertion_key);
async function assertionIn(token) {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ['RS256'],
      issuer: settings.assertion_issuer,
      audience: settings.assertion_audience,
      maxTokenAge: '2h',
      requiredClaims: ['sub', 'sid', 'exp', 'iat'],
    });
    if (!String(payload.scope).split(' ').includes('user:basic')) throw new Error('incomplete');
    return payload;
  } catch {
    throw new errors.InvalidRequest('subject_token is not accepted');
  }
}

function claimsOf(payload) {
  const wallets = payload.verified_credentials
    .filter(({ format }) => format === 'blockchain')
    .map(({ address, chain, wallet_name, wallet_provider, id }) => ({ address, chain, wallet_name, wallet_provider, primary: id === payload.last_verified_credential_id }));
  return {
    name: `${payload.given_name} ${payload.family_name}`,
    given_name: payload.given_name,
    family_name: payload.family_name,
    email: payload.email,
    email_verified: true,
    wallets,
    wallet_address: wallets[0]?.address,
  };
}

async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  const { AccessToken, Grant, IdToken, RefreshToken, ResourceServer } = provider;
  if (params.subject_token_type !== 'urn:ietf:params:oauth:token-type:jwt') throw new errors.InvalidRequest('subject_token_type');
  const payload = await assertionIn(params.subject_token);
  keepUser.run(payload.sub, JSON.stringify(claimsOf(payload)), payload.iat);
  const account = await findAccount(ctx, payload.sub);
  const scopes = (params.scope ?? 'openid').split(' ').filter((word) => SCOPES.includes(word));
  const scope = scopes.join(' ');
  const offline = scopes.includes('offline_access');

  // An access token that is a JWT is not kept; one for userinfo is, and so is the grant that it belongs to.
  let grantId;
  if (offline || !params.resource) {
    const grant = new Grant({ accountId: account.accountId, clientId: client.clientId });
    grant.addOIDCScope(scope);
    if (params.resource) grant.addResourceScope(params.resource, scope);
    grantId = await grant.save();
  }
  const accessToken = new AccessToken({ accountId: account.accountId, client, grantId, gty: 'token_exchange', scope });
  if (params.resource) {
    accessToken.resourceServer = new ResourceServer(params.resource, {
      scope, audience: params.resource, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: algOf(client) } },
    });
  }
  ctx.oidc.entity('AccessToken', accessToken);
  const access_token = await accessToken.save();

  const idToken = new IdToken(await account.claims('id_token', scope), { ctx });
  idToken.scope = scope;
  idToken.set('at_hash', access_token);
  idToken.set('sid', payload.sid);
  const id_token = await idToken.issue({ use: 'idtoken' });

  let refresh_token;
  if (offline) {
    const token = new RefreshToken({ accountId: account.accountId, client, grantId, gty: 'token_exchange', scope, resource: params.resource, rotations: 0 });
    ctx.oidc.entity('RefreshToken', token);
    refresh_token = await token.save();
  }
  ctx.body = {
    access_token, id_token, refresh_token, scope, token_type: 'Bearer', expires_in: accessToken.expiration,
    issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
  };
}
provider.registerGrantType(EXCHANGE, exchange, ['subject_token', 'subject_token_type', 'scope', 'resource', 'requested_token_type']);
provider.on('server_error', (ctx, error) => console.error(error));

const server = provider.listen(Number(port), '127.0.0.1', () => console.error('ready'));
server.keepAliveTimeout = 75_000;
process.on('SIGTERM', () => process.exit(0));
