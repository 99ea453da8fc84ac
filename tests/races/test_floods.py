"""Floods at a real server: what is right is answered as ever, and Dynamic is not asked for every forgery."""

import json
import logging
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from statistics import median, quantiles
from urllib.parse import urlencode, urlsplit

import flooding
import pytest
from served import Command, command_for, free_port

from bridge.emulator import RunningEmulator
from bridge.jwks import COOL_DOWN
from bridge.model import TOKEN_EXCHANGE

log = logging.getLogger(__name__)  # to read the figures: pytest -m slow --log-cli-level=INFO

ORIGIN = "http://localhost:3000"
JWT = "urn:ietf:params:oauth:token-type:jwt"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JUNK = 10_000
PER_SECOND = 1000

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]

Post = tuple[str, dict[str, str], str]


@dataclass(frozen=True)
class Site:
    """A server, and its one confidential client."""

    url: str
    secret: str
    dynamic: RunningEmulator
    good: str  # an assertion

    def exchange(self, assertion: str, **client: str) -> Post:
        client = client or {"client_id": "nextauth", "client_secret": self.secret}
        form = {"grant_type": TOKEN_EXCHANGE, "subject_token": assertion, "subject_token_type": JWT, **client}
        return "/token", FORM, urlencode(form)

    def keys_were_left_alone_since(self, began: float) -> bool:
        """Once at the first assertion, and once in each cool-down."""
        return self.dynamic.emulator.count("jwks") <= 2 + (time.monotonic() - began) // COOL_DOWN

    def with_kid(self, kid: str) -> str:
        """The good assertion with another key's name: nothing but the kid has to be looked at to refuse it."""
        header = urlsafe_b64encode(json.dumps({"alg": "RS256", "typ": "JWT", "kid": kid}).encode()).rstrip(b"=")
        return f"{header.decode()}.{self.good.partition('.')[2]}"

    def access_token(self) -> str:
        """What the good assertion is exchanged for."""
        with closing(HTTPConnection(urlsplit(self.url).netloc, timeout=30)) as connection:
            path, headers, body = self.exchange(self.good)
            connection.request("POST", path, body, headers)
            return str(json.load(connection.getresponse())["access_token"])


def forged(token: str, number: int) -> str:
    """The token with another signature, which has to be computed to be refused."""
    return f"{token[:-20]}{number:08d}{token[-12:]}"


@pytest.fixture
def site(tmp_path: Path, dynamic: RunningEmulator) -> Iterator[Site]:
    command: Command = command_for(tmp_path, dynamic)
    url = f"http://localhost:{free_port()}"
    made = command("init", "--environment-id", dynamic.emulator.environment_id, "--issuer", url)
    secret = dict(line.split("=", 1) for line in made.stdout.splitlines())["AUTH_DYNAMIC_SECRET"]
    user = dynamic.emulator.create_user(email="demo@example.com")
    with command.serving("--port", url.rpartition(":")[2], "--workers", "1", url=url):
        yield Site(url, secret, dynamic, dynamic.emulator.mint(user, origin=ORIGIN))


def latencies(site: Site, until: subprocess.Popen[str] | None) -> list[float]:
    """How long good exchanges take, in seconds: one in 150 ms (a user may 600 a minute), until a flood is over."""
    took = []
    with closing(HTTPConnection(urlsplit(site.url).netloc, timeout=30)) as connection:
        while (until.poll() is None) if until is not None else len(took) < 40:
            path, headers, body = site.exchange(site.good)
            began = time.monotonic()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            answer.read()
            took.append(time.monotonic() - began)
            time.sleep(0.15)
    return took


def flood(site: Site, posts: Sequence[Post]) -> subprocess.Popen[str]:
    sent = {"posts": posts, "count": JUNK, "per_second": PER_SECOND}
    running = subprocess.Popen(
        [sys.executable, flooding.__file__, site.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert running.stdin is not None
    running.stdin.write(json.dumps(sent))
    running.stdin.close()
    running.stdin = None
    return running


def under(site: Site, name: str, posts: Sequence[Post]) -> dict[str, int]:
    """Good requests before and during a flood; the statuses that the flood met."""
    before = latencies(site, None)
    running = flood(site, posts)
    during = latencies(site, running)
    told = json.loads(running.communicate()[0])
    for when, took in (("before", before), ("during", during)):
        p50, p99 = median(took) * 1e3, quantiles(took, n=100)[-1] * 1e3
        log.info("%s, %s: p50 %.1f ms, p99 %.1f ms", name, when, p50, p99)
    log.info("%s: %s, JWKS asked %d times", name, told, site.dynamic.emulator.count("jwks"))
    assert sum(told["statuses"].values()) == JUNK
    assert median(during) < 0.25
    assert max(during) < 5
    statuses: dict[str, int] = told["statuses"]
    return statuses


def test_junk_tokens_leave_good_requests_alone(site: Site) -> None:
    wrong = {"client_id": "nextauth", "client_secret": "wrong"}
    posts: list[Post] = [site.exchange(forged(site.good, number)) for number in range(100)]
    posts += [site.exchange("junk"), site.exchange(site.good[:-300]), site.exchange(site.good, **wrong)]
    ours = site.access_token()
    posts += [("/userinfo", {"Authorization": f"Bearer {forged(ours, number)}"}, "") for number in range(100)]
    began = time.monotonic()
    statuses = under(site, "junk", posts)
    assert statuses.keys() <= {"400", "401", "429"}
    assert site.keys_were_left_alone_since(began)


def test_unknown_kids_leave_good_requests_alone_and_the_keys_are_asked_for_once_in_a_while(site: Site) -> None:
    began = time.monotonic()
    statuses = under(site, "kids", [site.exchange(site.with_kid(f"kid-{number}")) for number in range(1000)])
    assert statuses == {"400": JUNK}
    assert site.keys_were_left_alone_since(began)


def test_guessed_secrets_and_anonymous_requests_leave_good_requests_alone(site: Site) -> None:
    posts: list[Post] = [
        site.exchange(site.good, client_id=f"guess-{number}", client_secret="x") for number in range(1000)
    ]
    posts += [("/authorize", FORM, urlencode({"client_id": "nextauth"})) for _ in range(100)]
    statuses = under(site, "guesses", posts)
    assert statuses["401"] <= 60, "more failures were told than two windows have room for"
    assert statuses.keys() <= {"303", "401", "429", "400"}
