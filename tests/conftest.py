"""A whole bridge per test: real configuration, real migrations and database, the emulator as Dynamic."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet
from sqlalchemy import text
from werkzeug.test import TestResponse

from bridge.app import create_app
from bridge.cli.schema import upgrade
from bridge.config import Config
from bridge.config.sources import load
from bridge.emulator import NewWallet, RunningEmulator, User
from bridge.history import OPERATOR
from bridge.lifecycle.endings import disable_user
from bridge.model import REFRESH_TOKEN, TOKEN_EXCHANGE, Client
from bridge.store import Database, clients
from bridge.store.seal import new_secret_key

pytest_plugins = ["bridge.emulator.fixture", "not_tested", "browser.plugin"]
pytest_plugins += ["databases", "racing", "rehearsing", "slow", "both_nextauths"]

ISSUER = "http://localhost:8080"
WEBHOOK_SECRET = "dyn_webhook-secret-of-the-tests"
APP_ORIGIN = "https://app.example.com"
JWT = "urn:ietf:params:oauth:token-type:jwt"
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """A long text is named by its parameter: it may be random, and every process has to name a test alike."""
    return argname if isinstance(val, str | bytes) and len(val) > 24 else None


@dataclass
class HeldClock:
    """A clock that stands still until the test moves it. Whole seconds."""

    now: int = 1_795_400_000

    def __call__(self) -> int:
        return self.now

    def forward(self, seconds: int) -> None:
        self.now += seconds


@dataclass
class Bridge:
    """A running bridge as its users see it: an HTTP client, the emulator behind it, and the clock of both."""

    config: Config
    clock: HeldClock
    dynamic: RunningEmulator
    database: Database
    http: FlaskClient
    secrets: dict[str, str] = field(default_factory=dict)

    def add_client(self, client_id: str = "app", **settings: Any) -> Client:
        settings = {"scopes": ("openid", "profile", "email"), "assertion_origins": (APP_ORIGIN,), **settings}
        client = Client(client_id, **settings)
        with self.database.writing() as tx:
            assert clients.add(tx, client, self.clock())
            if not client.public:
                self.secrets[client_id] = clients.add_secret(tx, client_id, self.clock(), overlap=0)
        return client

    def change_client(self, client_id: str = "app", **settings: Any) -> None:
        with self.database.writing() as tx:
            found = clients.find(tx, client_id)
            assert found is not None
            clients.change(tx, replace(found, **settings), self.clock())
        self.forget_cache()

    def user(self, **profile: Any) -> User:
        profile = {
            "email": "demo@example.com",
            "given_name": "Demo",
            "wallets": [NewWallet(address=ADDRESS)],
            **profile,
        }
        return self.dynamic.emulator.create_user(**profile)

    def assertion(self, user: User | None = None, **how: Any) -> str:
        how = {"origin": APP_ORIGIN, **how}
        return self.dynamic.emulator.mint(user or self.user(), **how)

    def token(self, data: Mapping[str, Any], client_id: str | None = "app", **request: Any) -> TestResponse:
        """POST /token as a client that sends its secret in the body."""
        form = dict(data)
        if client_id is not None:
            form = {"client_id": client_id, **form}
            if client_id in self.secrets:
                form = {"client_secret": self.secrets[client_id], **form}
        return self.http.post("/token", data=form, **request)

    def exchange(self, assertion: str, client_id: str | None = "app", **parameters: Any) -> TestResponse:
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": assertion, "subject_token_type": JWT, **parameters}
        return self.token({name: value for name, value in form.items() if value is not None}, client_id)

    def keep(self, user: User | None = None, client_id: str = "app", *, lifetime: int = 7200, **more: Any) -> str:
        """The first refresh token of a new grant, whose assertion lives for `lifetime` seconds."""
        parameters = {"scope": "openid profile email offline_access", **more}
        answer = self.exchange(self.assertion(user, lifetime=lifetime), client_id, **parameters)
        assert answer.status_code == 200, answer.json
        return str(answer.json["refresh_token"])

    def refresh(self, refresh_token: str, client_id: str = "app", **parameters: Any) -> TestResponse:
        return self.token({"grant_type": REFRESH_TOKEN, "refresh_token": refresh_token, **parameters}, client_id)

    def call(self, path: str, token: str, client_id: str = "app", **parameters: Any) -> TestResponse:
        """POST /introspect or /revoke as a client that sends its secret in the body."""
        form = {"token": token, "client_id": client_id, **parameters}
        if client_id in self.secrets:
            form["client_secret"] = self.secrets[client_id]
        return self.http.post(path, data=form)

    def userinfo(self, access_token: str) -> TestResponse:
        return self.http.get("/userinfo", headers={"Authorization": f"Bearer {access_token}"})

    def disable(self, user: User) -> None:
        """As `oidc-bridge user disable` does it."""
        with self.database.writing() as tx:
            assert disable_user(tx, user.id, actor=OPERATOR, now=self.clock()) is not None

    def forget_cache(self) -> None:
        """Let the two seconds pass after which an instance sees a changed client."""
        self.clock.forward(2)

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What a statement finds in the database."""
        with self.database.reading() as tx:
            return [tuple(row) for row in tx.execute(text(statement), values)]


OFFLINE = {"grants": (TOKEN_EXCHANGE, REFRESH_TOKEN), "scopes": ("openid", "profile", "email", "offline_access")}
"""Settings of a client that may hold refresh tokens."""


def refusal(answer: TestResponse) -> tuple[int, str, str]:
    """Status, error, and the reason's code."""
    return answer.status_code, answer.json["error"], answer.json["error_uri"].rpartition("/")[2]


def decoded(bridge: Bridge, token: str) -> dict[str, Any]:
    """The claims of a token of ours, as joserfc reads them with the published keys."""
    return jwt.decode(token, KeySet.import_key_set(bridge.http.get("/jwks").json), algorithms=["RS256"]).claims


@pytest.fixture
def clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def make_bridge(
    dynamic: RunningEmulator, clock: HeldClock, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Bridge]]:
    """Builds bridges; settings by their environment-variable names, `toml` as bridge.toml's text."""
    monkeypatch.chdir(tmp_path)
    dynamic.emulator.clock = clock
    made: list[Bridge] = []

    def make(toml: str = "", **settings: str) -> Bridge:
        environ = {
            "BRIDGE_DEVELOPMENT": "true",
            "BRIDGE_ISSUER": ISSUER,
            "BRIDGE_DATABASE_URL": database_url,
            "BRIDGE_SECRET_KEYS": new_secret_key(),
            "DYNAMIC_ENVIRONMENT_ID": dynamic.emulator.environment_id,
            "DYNAMIC_API_BASE_URL": dynamic.base_url,
            "BRIDGE_LOGIN_PAGE": "off",  # whether or not it was built in this checkout
            **settings,
        }
        Path("bridge.toml").write_text(toml, encoding="utf-8")
        config = load(environ)
        database = Database(config.database_url)
        upgrade(database)
        app = create_app(config, clock)
        made.append(Bridge(config, clock, dynamic, database, app.test_client()))
        return made[-1]

    yield make
    for bridge in made:
        bridge.http.application.extensions["bridge"].close()  # its threads and connections
        bridge.database.close()


@pytest.fixture
def bridge(make_bridge: Callable[..., Bridge]) -> Bridge:
    return make_bridge()


@pytest.fixture
def repository() -> Callable[[str], str]:
    """Reads a file of the checkout by its path from the top."""
    top = Path(__file__).parents[1]
    return lambda path: (top / path).read_text(encoding="utf-8")
