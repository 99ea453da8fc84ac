"""The only wiring: builds each part once, hands it what it needs, and mounts the routes."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Flask

from bridge.assets import TEMPLATES
from bridge.clock import Clock, system_clock
from bridge.config.settings import Config
from bridge.delivery.backchannel import BackchannelLogout
from bridge.delivery.carriers import Carrier
from bridge.delivery.deliver import THREADS, Delivery
from bridge.delivery.rest import CloseRest
from bridge.dynamic.keys import LoadKeys, key_set, load_keys
from bridge.dynamic.verify import Verifier
from bridge.fetch import Fetcher
from bridge.lifecycle.dynamic_effects import Effects
from bridge.lifecycle.dynamic_events import DynamicEvents
from bridge.lifecycle.signin import SessionPolicy
from bridge.oauth.assertions import Assertions
from bridge.oauth.authorize import Authorization
from bridge.oauth.client_auth import ClientAuthentication
from bridge.oauth.client_credentials import ClientCredentials
from bridge.oauth.code import CodeRedemption
from bridge.oauth.consent import Consent
from bridge.oauth.discovery import discovery_document
from bridge.oauth.exchange import TokenExchange
from bridge.oauth.holders import Holders
from bridge.oauth.introspect import Introspection
from bridge.oauth.jwt_bearer import JwtBearer
from bridge.oauth.logout import Logout
from bridge.oauth.refresh import Refresh
from bridge.oauth.revoke import Revocation
from bridge.oauth.server import TokenServer
from bridge.oauth.signin import SignInCompletion
from bridge.oauth.site import Site
from bridge.oauth.throttle import Throttle
from bridge.oauth.userinfo import Userinfo
from bridge.store import Database
from bridge.store import keys as stored_keys
from bridge.store.clients import Clients
from bridge.store.outbox import Kind
from bridge.store.rotation import Rotation
from bridge.store.seal import Sealer
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.keyring import Keyring
from bridge.tokens.mint import Mint
from bridge.tokens.pairwise import PairwiseSubjects, new_pairwise_key
from bridge.web.browser import BrowserEndpoint, browser_blueprint
from bridge.web.documents import Document, document_blueprint
from bridge.web.edge import guard_edge
from bridge.web.endpoints import Endpoint, endpoint_blueprint
from bridge.web.hooks import hook_blueprint
from bridge.web.ops import HealthCheck, ops_blueprint
from bridge.web.pages import page_blueprint


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a bridge, each built once. `close` lets go of threads and connections."""

    database: Database
    clients: Clients
    keyring: Keyring
    subjects: PairwiseSubjects
    verifier: Verifier
    selection: ClaimSelection
    mint: Mint
    assertions: Assertions
    events: DynamicEvents
    close: Callable[[], None]

    def delivery(self, config: Config, clock: Clock = system_clock) -> Delivery:
        """What carries the outbox out: for each kind of message its carrier. It does nothing until it is run."""
        carriers: dict[Kind, Carrier] = {
            Kind.BACKCHANNEL_LOGOUT: BackchannelLogout(
                clients=self.clients,
                mint=self.mint,
                fetcher=Fetcher(development=config.development, threads=2 * THREADS),  # its own bulkhead
            ),
            Kind.CLOSE_REST: CloseRest(self.database),
        }
        return Delivery(self.database, carriers, clock)


def assemble(config: Config, clock: Clock = system_clock, keys: LoadKeys = load_keys) -> Parts:
    """The parts that a configuration asks for, the protocol's endpoints apart. `keys`: where Dynamic's come from.

    Reads our keys from the database, which must have the current schema, and makes those that are missing. Calls
    nobody else. Raises SchemaMismatch, SealBroken and Unavailable.
    """
    with ExitStack() as held:
        database = Database(config.database_url)
        held.callback(database.close)
        database.check_schema()
        keyring, subjects = _own_secrets(database, config, clock())

        key_fetcher = Fetcher(development=config.development)
        profile_fetcher = Fetcher(development=config.development)  # its own bulkhead: profiles never delay keys
        event_fetcher = Fetcher(development=config.development)  # and webhooks delay neither
        held.callback(key_fetcher.close)
        held.callback(profile_fetcher.close)
        held.callback(event_fetcher.close)
        verifier = _verifier(config, key_fetcher, clock, keys)

        selection = ClaimSelection(config.claims)
        return Parts(
            database=database,
            clients=Clients(database, config.clients),
            keyring=keyring,
            subjects=subjects,
            verifier=verifier,
            selection=selection,
            mint=Mint(issuer=config.issuer, keyring=keyring, selection=selection, subjects=subjects),
            assertions=Assertions(
                verifier=verifier,
                fetcher=profile_fetcher,
                database=database,
                rules=config.claims,
                profile_scopes=selection.scopes,
                primary_environment=config.environments[0].environment_id,
            ),
            events=dynamic_events(config, database, event_fetcher),
            close=held.pop_all().close,
        )


def create_app(config: Config, clock: Clock = system_clock) -> Flask:
    """The bridge as a WSGI application; `app.extensions["bridge"]` holds its Parts. Raises what `assemble` raises."""
    parts = assemble(config, clock)
    issuer, prefix = config.issuer, urlsplit(config.issuer).path or None
    reasons_url = f"{issuer}/reasons"

    environments = {environment.environment_id: environment for environment in config.environments}
    authentication = ClientAuthentication(parts.clients, Throttle())
    token_server = TokenServer(
        issuer=issuer,
        reasons_url=reasons_url,
        database=parts.database,
        authentication=authentication,
        mint=parts.mint,
        assertions=parts.assertions,
        environments=environments,
    )
    for redemption in (CodeRedemption, TokenExchange, JwtBearer, Refresh, ClientCredentials):
        token_server.register_grant(redemption)
    holders = Holders(
        issuer=issuer,
        keyring=parts.keyring,
        subjects=parts.subjects,
        clients=parts.clients,
        database=parts.database,
        environments=environments,
    )
    userinfo = Userinfo(issuer=issuer, reasons_url=reasons_url, holders=holders, selection=parts.selection)
    introspection = Introspection(
        issuer=issuer,
        reasons_url=reasons_url,
        authentication=authentication,
        holders=holders,
        subjects=parts.subjects,
    )
    revocation = Revocation(
        issuer=issuer,
        reasons_url=reasons_url,
        database=parts.database,
        authentication=authentication,
        keyring=parts.keyring,
        subjects=parts.subjects,
    )

    endpoints = (
        Endpoint("token_endpoint", "/token", ["POST"], token_server.respond, cors=True),
        Endpoint("userinfo_endpoint", "/userinfo", ["GET", "POST"], userinfo.respond, cors=True),
        Endpoint("introspection_endpoint", "/introspect", ["POST"], introspection.respond),
        Endpoint("revocation_endpoint", "/revoke", ["POST"], revocation.respond, cors=True),
    )
    metadata = {
        "authorization_endpoint": f"{issuer}/authorize",
        "end_session_endpoint": f"{issuer}/logout",
        **{endpoint.metadata: f"{issuer}{endpoint.path}" for endpoint in endpoints},
    }
    site = Site(
        issuer=issuer,
        reasons_url=reasons_url,
        own_signin_url=config.signin_url,
        database=parts.database,
        clients=parts.clients,
        environments=environments,
        selection=parts.selection,
        keyring=parts.keyring,
        subjects=parts.subjects,
    )
    discovery = discovery_document(
        issuer=issuer,
        endpoints={**metadata, "jwks_uri": f"{issuer}/jwks"},
        grant_types=token_server.grant_types,
        algorithms=parts.keyring.algorithms,
        selection=parts.selection,
    )

    app = Flask("bridge", template_folder=str(TEMPLATES), static_folder=None)
    app.extensions["bridge"] = parts
    app.url_map.merge_slashes = False  # it would redirect to a URL built from the Host header
    app.register_blueprint(
        endpoint_blueprint(endpoints, clock=clock, cors_origins=parts.clients.cors_origins),
        url_prefix=prefix,
    )
    app.register_blueprint(
        browser_blueprint(_browser_endpoints(site, parts, config), issuer=issuer, reasons_url=reasons_url, clock=clock),
        url_prefix=prefix,
    )
    app.register_blueprint(hook_blueprint(parts.events.receive, clock=clock), url_prefix=prefix)
    app.register_blueprint(document_blueprint(_documents(discovery, parts.keyring, prefix or ""), clock))
    app.register_blueprint(page_blueprint(issuer=issuer, links=_links(issuer)), url_prefix=prefix)
    app.register_blueprint(ops_blueprint({"database": _database_check(parts.database)}))
    guard_edge(app)
    return app


def dynamic_events(config: Config, database: Database, fetcher: Fetcher) -> DynamicEvents:
    """Whoever takes what happened at Dynamic, by webhook or from the event log."""
    return DynamicEvents(
        database=database,
        fetcher=fetcher,
        environments={environment.environment_id: environment for environment in config.environments},
        effects=Effects(config.claims, primary_environment=config.environments[0].environment_id),
    )


def _browser_endpoints(site: Site, parts: Parts, config: Config) -> tuple[BrowserEndpoint, ...]:
    """The endpoints for people."""
    policy = SessionPolicy(config.session_idle_ttl, config.session_absolute_ttl)
    completion = SignInCompletion(site, parts.assertions, longest=config.assertion_max_lifetime)
    return (
        BrowserEndpoint("/authorize", ("GET", "POST"), Authorization(site, policy=policy).respond),
        BrowserEndpoint("/signin/complete", ("POST",), completion.respond),
        BrowserEndpoint("/consent", ("GET", "POST"), Consent(site).respond),
        BrowserEndpoint("/logout", ("GET", "POST"), Logout(site).respond),
    )


def _own_secrets(database: Database, config: Config, now: int) -> tuple[Keyring, PairwiseSubjects]:
    sealer = Sealer(config.secret_keys)
    rotation = Rotation(database, sealer, interval=config.key_rotation)
    rotation.make_missing(now)
    keyring = Keyring(rotation.load, rotation.keep_up, now)
    with database.writing() as tx:
        pairwise_key = stored_keys.secret(tx, "pairwise", sealer, now, make=new_pairwise_key)
    return keyring, PairwiseSubjects(pairwise_key)


def _verifier(config: Config, fetcher: Fetcher, clock: Clock, keys: LoadKeys) -> Verifier:
    return Verifier(
        (
            (environment, key_set(environment, fetcher, clock, keys))
            for environment in config.environments
            if not environment.disabled
        ),
        max_lifetime=config.assertion_max_lifetime,
        skew=config.clock_skew,
    )


def _database_check(database: Database) -> HealthCheck:
    return lambda: None if database.is_alive() else "does not answer"


def _documents(discovery: bytes, keyring: Keyring, prefix: str) -> tuple[Document, ...]:
    """Where clients look: OIDC Discovery appends to the issuer, RFC 8414 inserts before its path; both are served."""
    openid, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
    found = {f"{prefix}{openid}", f"{prefix}{oauth}", f"{openid}{prefix}", f"{oauth}{prefix}"}
    return Document(sorted(found), lambda _: discovery), Document([f"{prefix}/jwks"], keyring.jwks)


def _links(issuer: str) -> Mapping[str, str]:
    return {
        "Discovery document": f"{issuer}/.well-known/openid-configuration",
        "Signing keys": f"{issuer}/jwks",
        "Reasons for refusals": f"{issuer}/reasons",
    }
