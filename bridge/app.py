"""The only wiring: builds each part once, hands it what it needs, and mounts the routes."""

from collections.abc import Mapping
from typing import cast
from urllib.parse import urlsplit

from flask import Flask

from bridge.assets import TEMPLATES, default_login_page
from bridge.clock import Clock, system_clock
from bridge.config.settings import Config
from bridge.lifecycle.signin import SessionPolicy
from bridge.oauth.account import Account
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
from bridge.oauth.own_page import OwnPage
from bridge.oauth.refresh import Refresh
from bridge.oauth.revoke import Revocation
from bridge.oauth.server import TokenServer
from bridge.oauth.signin import SignInCompletion
from bridge.oauth.site import Site
from bridge.oauth.userinfo import Userinfo
from bridge.observing import Observing, hearing, metrics_of, observing
from bridge.parts import Parts, assemble
from bridge.store.open_requests import OpenRequests
from bridge.tokens.keyring import Keyring
from bridge.web.browser import BrowserEndpoint, browser_blueprint
from bridge.web.bundle import find_bundle
from bridge.web.bundle_files import bundle_blueprint
from bridge.web.edge import guard_edge
from bridge.web.endpoints import Document, Endpoint, Routes
from bridge.web.hooks import hook_blueprint
from bridge.web.pages import page_blueprint
from bridge.web.rsgi import RsgiDoor
from bridge.web.security_txt import security_txt_blueprint
from bridge.web.wsgi import WsgiDoor


def create_app(config: Config, clock: Clock = system_clock) -> Flask:
    """The bridge as a WSGI application; `app.extensions["bridge"]` holds its Parts. Raises what `assemble` raises."""
    metrics = metrics_of(config)
    parts = assemble(config, clock, heard=hearing(metrics))
    observed = observing(config, parts, metrics, clock())
    issuer, prefix = config.issuer, urlsplit(config.issuer).path or None
    reasons_url = f"{issuer}/reasons"

    bundle = find_bundle(config.login_page, default_login_page())
    environments = config.environments_by_id
    authentication = ClientAuthentication(parts.clients, parts.limits)
    token_server = TokenServer(
        issuer=issuer,
        reasons_url=reasons_url,
        database=parts.database,
        authentication=authentication,
        mint=parts.mint,
        assertions=parts.assertions,
        environments=environments,
        live_check=parts.live_check,
        limits=parts.limits,
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
    userinfo = Userinfo(
        issuer=issuer, reasons_url=reasons_url, holders=holders, selection=parts.selection, limits=parts.limits
    )
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
        default_signin_url=config.signin_url,
        has_own_page=bundle is not None,
        database=parts.database,
        clients=parts.clients,
        environments=environments,
        selection=parts.selection,
        keyring=parts.keyring,
        subjects=parts.subjects,
        limits=parts.limits,
        open_requests=OpenRequests(),
    )
    discovery = discovery_document(
        issuer=issuer,
        endpoints={**metadata, "jwks_uri": f"{issuer}/jwks"},
        grant_types=token_server.grant_types,
        algorithms=parts.keyring.algorithms,
        selection=parts.selection,
    )

    app = Flask("bridge", template_folder=str(TEMPLATES), static_folder=None)
    app.extensions |= {"bridge": parts, "observing": observed}
    app.url_map.merge_slashes = False  # it would redirect to a URL built from the Host header
    app.register_blueprint(
        browser_blueprint(
            _browser_endpoints(site, parts, config),
            issuer=issuer,
            reasons_url=reasons_url,
            bundle=bundle,
            limits=parts.limits,
            clock=clock,
        ),
        url_prefix=prefix,
    )
    hooks = hook_blueprint(parts.events.receive, environments=environments, limits=parts.limits, clock=clock)
    app.register_blueprint(hooks, url_prefix=prefix)
    app.register_blueprint(bundle_blueprint(bundle), url_prefix=prefix)
    app.register_blueprint(page_blueprint(issuer=issuer, links=_links(issuer)), url_prefix=prefix)
    app.register_blueprint(security_txt_blueprint(config.security_contact, issuer=issuer, clock=clock))
    guard_edge(app)
    routes = Routes(
        endpoints,
        _documents(discovery, parts.keyring, prefix or ""),
        observed.routes,
        prefix=prefix or "",
        clock=clock,
        cors_origins=parts.clients.cors_origins,
    )
    app.wsgi_app = WsgiDoor(  # type: ignore[method-assign]
        routes, app.wsgi_app, observed.watch, proxies=config.proxies
    )
    return app


def rsgi_app(config: Config) -> tuple[RsgiDoor, Parts, Observing]:
    """The same for our own server, its parts, and who looks at it. Raises what `assemble` raises."""
    app = create_app(config)
    door, parts = cast("WsgiDoor", app.wsgi_app), app.extensions["bridge"]
    at_once = parts.database.is_sqlite
    own = RsgiDoor(
        door.routes,
        door.pages,
        door.watch,
        reasons_url=f"{config.issuer}/reasons",
        at_once=at_once,
        proxies=config.proxies,
    )
    return own, parts, app.extensions["observing"]


def _browser_endpoints(site: Site, parts: Parts, config: Config) -> tuple[BrowserEndpoint, ...]:
    """The endpoints for people."""
    policy = SessionPolicy(config.session_idle_ttl, config.session_absolute_ttl, config.audit_identifiers)
    authorization = Authorization(site, policy=policy, live_check=parts.live_check)
    account = Account(site, policy=policy, live_check=parts.live_check)
    completion = SignInCompletion(site, parts.assertions, longest=config.assertion_max_lifetime)
    return (
        BrowserEndpoint("/authorize", ("GET", "POST"), authorization.respond),
        BrowserEndpoint("/signin", ("GET",), OwnPage(site).respond),
        BrowserEndpoint("/signin/complete", ("POST",), completion.respond),
        BrowserEndpoint("/consent", ("GET", "POST"), Consent(site).respond),
        BrowserEndpoint("/logout", ("GET", "POST"), Logout(site).respond),
        BrowserEndpoint("/account", ("GET", "POST"), account.respond),
        BrowserEndpoint("/account/erase", ("GET", "POST"), account.erasure),
    )


def _documents(discovery: bytes, keyring: Keyring, prefix: str) -> tuple[Document, ...]:
    """Where clients look: OIDC Discovery appends to the issuer, RFC 8414 inserts before its path; both are served."""
    openid, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
    found = {f"{prefix}{openid}", f"{prefix}{oauth}", f"{openid}{prefix}", f"{oauth}{prefix}"}
    return (
        Document("discovery", sorted(found), lambda _: discovery),
        Document("jwks", [f"{prefix}/jwks"], keyring.jwks),
    )


def _links(issuer: str) -> Mapping[str, str]:
    return {
        "Discovery document": f"{issuer}/.well-known/openid-configuration",
        "Signing keys": f"{issuer}/jwks",
        "Reasons for refusals": f"{issuer}/reasons",
    }
