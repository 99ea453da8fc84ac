"""The only wiring: builds each part once, hands it what it needs, and mounts the routes."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from flask import Flask

from bridge.assets import TEMPLATES
from bridge.clock import Clock, system_clock
from bridge.config.settings import Config
from bridge.dynamic.keys import key_set
from bridge.dynamic.verify import Verifier
from bridge.fetch import Fetcher
from bridge.oauth.assertions import Assertions
from bridge.oauth.client_auth import ClientAuthentication
from bridge.oauth.client_credentials import ClientCredentials
from bridge.oauth.discovery import discovery_document
from bridge.oauth.exchange import TokenExchange
from bridge.oauth.holders import Holders
from bridge.oauth.introspect import Introspection
from bridge.oauth.request import MAX_BODY_BYTES
from bridge.oauth.server import TokenServer
from bridge.oauth.throttle import Throttle
from bridge.oauth.userinfo import Userinfo
from bridge.store import Database
from bridge.store import keys as stored_keys
from bridge.store.clients import Clients
from bridge.store.seal import Sealer
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.mint import Mint
from bridge.tokens.pairwise import Subjects, new_pairwise_key
from bridge.web.edge import guard_edge
from bridge.web.endpoints import Document, Endpoint, document_blueprint, endpoint_blueprint
from bridge.web.ops import ops_blueprint
from bridge.web.pages import page_blueprint


def create_app(config: Config, clock: Clock = system_clock) -> Flask:
    """The bridge as a WSGI application.

    Reads signing keys from the database, which must have the current schema. Raises SchemaMismatch, SealBroken and
    Unavailable.
    """
    issuer = config.issuer
    reasons_url = f"{issuer}/reasons"

    # store
    database = Database(config.database_url)
    database.check_schema()
    clients = Clients(database, config.clients)
    keyring, subjects = _own_secrets(database, Sealer(config.secret_keys), clock)

    # dynamic
    verifier = _verifier(config, clock)
    environments = {environment.environment_id: environment for environment in config.environments}

    # tokens
    selection = ClaimSelection(config.claims)
    mint = Mint(issuer=issuer, keyring=keyring, selection=selection, subjects=subjects)

    # oauth
    authentication = ClientAuthentication(clients, Throttle())
    token_server = TokenServer(
        issuer=issuer,
        token_url=f"{issuer}/token",
        reasons_url=reasons_url,
        database=database,
        authentication=authentication,
        mint=mint,
        assertions=Assertions(
            verifier=verifier,
            fetcher=Fetcher(development=config.development),  # its own bulkhead: profiles never delay keys
            database=database,
            rules=config.claims,
            primary_environment=config.environments[0].environment_id,
        ),
    )
    token_server.register_grant(TokenExchange)
    token_server.register_grant(ClientCredentials)
    holders = Holders(
        issuer=issuer,
        keyring=keyring,
        subjects=subjects,
        clients=clients,
        database=database,
        environments=environments,
    )
    userinfo = Userinfo(issuer=issuer, reasons_url=reasons_url, holders=holders, selection=selection)
    introspection = Introspection(reasons_url=reasons_url, authentication=authentication, holders=holders)

    # web
    endpoints = (
        Endpoint("token_endpoint", "/token", ["POST"], token_server.respond, cors=True),
        Endpoint("userinfo_endpoint", "/userinfo", ["GET", "POST"], userinfo.respond, cors=True),
        Endpoint("introspection_endpoint", "/introspect", ["POST"], introspection.respond),
    )
    metadata = {endpoint.metadata: f"{issuer}{endpoint.path}" for endpoint in endpoints}
    discovery = discovery_document(
        issuer=issuer,
        endpoints={**metadata, "jwks_uri": f"{issuer}/jwks"},
        grant_types=token_server.grant_types,
        algorithms=keyring.algorithms,
        selection=selection,
    )

    app = Flask("bridge", template_folder=str(TEMPLATES), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    prefix = urlsplit(issuer).path
    app.register_blueprint(
        endpoint_blueprint(endpoints, clock=clock, reasons_url=reasons_url, cors_origins=clients.cors_origins),
        url_prefix=prefix or None,
    )
    app.register_blueprint(document_blueprint(_documents(discovery, keyring.jwks, prefix)))
    app.register_blueprint(page_blueprint(issuer=issuer, links=_links(issuer)), url_prefix=prefix or None)
    app.register_blueprint(ops_blueprint({"database": lambda: None if database.is_alive() else "does not answer"}))
    guard_edge(app)
    return app


def _own_secrets(database: Database, sealer: Sealer, clock: Clock) -> tuple[Keyring, Subjects]:
    now = clock()
    with database.writing() as tx:
        stored_keys.make_missing(tx, sealer, now)
        keyring = Keyring(stored_keys.load_active(tx, sealer))
        pairwise_key = stored_keys.secret(tx, "pairwise", sealer, now, make=new_pairwise_key)
    return keyring, Subjects(pairwise_key)


def _verifier(config: Config, clock: Clock) -> Verifier:
    fetcher = Fetcher(development=config.development)
    return Verifier(
        {
            environment.environment_id: (environment, key_set(environment, fetcher, clock))
            for environment in config.environments
            if not environment.disabled
        },
        max_lifetime=config.assertion_max_lifetime,
        skew=config.clock_skew,
    )


def _documents(discovery: bytes, jwks: bytes, prefix: str) -> tuple[Document, ...]:
    """Where clients look: OIDC Discovery appends to the issuer, RFC 8414 inserts before its path; both are served."""
    openid, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
    found = {f"{prefix}{openid}", f"{prefix}{oauth}", f"{openid}{prefix}", f"{oauth}{prefix}"}
    return Document(sorted(found), discovery), Document([f"{prefix}/jwks"], jwks)


def _links(issuer: str) -> Mapping[str, str]:
    return {
        "Discovery document": f"{issuer}/.well-known/openid-configuration",
        "Signing keys": f"{issuer}/jwks",
        "Reasons for refusals": f"{issuer}/reasons",
    }
