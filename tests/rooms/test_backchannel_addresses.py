"""Where a logout token may go (threats O18): what is refused when it is registered, and what a name may not lead to."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from families import NOW
from test_fetch import FaultServer, answer
from test_fetch_addresses import SPECIAL
from test_tokens import KEYRING

from bridge.config.client_checks import client_faults
from bridge.delivery.backchannel import BackchannelLogout
from bridge.delivery.carriers import Result, Verdict
from bridge.fetch import Fetcher
from bridge.model import Client
from bridge.store import Database
from bridge.store.clients import Clients
from bridge.store.outbox import Kind, Message
from bridge.tokens.claims import ClaimSelection
from bridge.tokens.mint import Mint
from bridge.tokens.pairwise import PairwiseSubjects, new_pairwise_key

MESSAGE = Message(Kind.BACKCHANNEL_LOGOUT, "app", {"sub": "u", "sid": "s"})
Resolve = Callable[[str], list[str]]


def faults(uri: str, *, development: bool = False) -> list[str]:
    client = Client("app", backchannel_logout_uri=uri)
    found = client_faults(client, environments=(), needs_secret=False, development=development)
    return [fault.setting for fault in found]


@pytest.mark.parametrize(
    "uri",
    [
        *("", "app.example.com/logout", "ftp://app.example.com/", "https://", "javascript:alert(1)", "https:///x"),
        *("http://app.example.com/logout", "https://app.example.com/logout#there", "https://u:p@app.example.com/"),
        *("https://app.example.com:443/logout", "https://APP.example.com/", "https://app.example.com/ä"),
        *("http://localhost/", "https://localhost/", "http://127.0.0.1:3000/", "https://127.0.0.1/", "https://[::1]/"),
        *("https://10.0.0.1/", "https://192.168.1.1/x", "https://172.16.3.4/", "https://169.254.169.254/latest/"),
        *("https://100.64.0.1/", "https://0.0.0.0/", "https://[fd00:ec2::254]/", "https://[fe80::1]/"),
        *(
            "https://[::ffff:10.0.0.1]/",
            "https://[::ffff:a00:1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::a00:1]/",
        ),
    ],
)
def test_an_address_that_cannot_be_a_receiver_is_refused_when_it_is_registered(uri: str) -> None:
    assert faults(uri) == ["client app, backchannel_logout_uri"]


@pytest.mark.parametrize(
    "uri",
    [
        "https://app.example.com/logout",
        "https://app.example.com:8443/a?b=c",
        "https://8.8.8.8/",
        "https://[2606:4700::1]/",
    ],
)
def test_an_address_on_the_internet_may_be_a_receiver(uri: str) -> None:
    assert faults(uri) == []


@pytest.mark.parametrize("uri", ["http://localhost:3000/x", "http://127.0.0.1/", "http://[::1]:3000/"])
def test_this_machine_may_be_a_receiver_in_development_alone(uri: str) -> None:
    assert faults(uri, development=True) == []
    assert faults(uri) == ["client app, backchannel_logout_uri"]


@pytest.mark.parametrize("uri", ["https://10.0.0.1/", "https://169.254.169.254/", "http://192.168.0.1/"])
def test_development_allows_no_other_private_address(uri: str) -> None:
    assert faults(uri, development=True) == ["client app, backchannel_logout_uri"]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with closing(FaultServer(answer())) as made:
        yield made


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[[Resolve], list[str]]:
    """Puts a resolver of ours in the system's place; the names that it was asked for."""
    asked: list[str] = []

    def put(resolver: Resolve) -> list[str]:
        def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in resolver(host)]

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        return asked

    return put


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where connections would have gone to; none is made."""
    made: list[str] = []

    def create_connection(address: tuple[str, int], *_: Any, **__: Any) -> socket.socket:
        made.append(address[0])
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", create_connection)
    return made


def carry(database: Database, uri: str, *, development: bool = False) -> Result:
    mint = Mint(
        issuer="https://id.example.com",
        keyring=KEYRING,
        selection=ClaimSelection(()),
        subjects=PairwiseSubjects(new_pairwise_key()),
    )
    with closing(Fetcher(development=development)) as fetcher:
        clients = Clients(database, [Client("app", backchannel_logout_uri=uri)])
        return BackchannelLogout(clients=clients, mint=mint, fetcher=fetcher).carry(MESSAGE, NOW)


@pytest.mark.parametrize("address", sorted({one.partition("%")[0] for some in SPECIAL.values() for one in some}))
def test_a_name_that_leads_to_a_special_address_leads_nowhere(
    address: str,
    database_in_memory: Database,
    resolve: Callable[[Resolve], list[str]],
    connections: list[str],
) -> None:
    resolve(lambda _: [address])
    assert carry(database_in_memory, "https://app.example.com/").verdict is Verdict.AWAY
    resolve(lambda _: ["8.8.8.8", address])
    assert carry(database_in_memory, "https://app.example.com/").verdict is Verdict.AWAY
    assert connections == [], "one address of several is enough to refuse them all"


def test_a_name_that_changes_its_mind_is_asked_once_and_taken_at_its_word(
    database_in_memory: Database,
    resolve: Callable[[Resolve], list[str]],
    connections: list[str],
) -> None:
    answers = iter(["8.8.8.8", "127.0.0.1", "169.254.169.254"])
    asked = resolve(lambda _: [next(answers)])
    carry(database_in_memory, "https://app.example.com/")
    assert (asked, connections) == (["app.example.com"], ["8.8.8.8"])


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::ffff:127.0.0.1]"])
def test_no_spelling_of_this_machine_is_reached_in_production(
    host: str, database_in_memory: Database, server: FaultServer
) -> None:
    told = carry(database_in_memory, server.url("https", host))
    assert told.verdict is Verdict.AWAY
    assert server.accepted == 0
    assert "secret" not in told.error
    assert str(server.port) not in told.error


def test_development_reaches_this_machine(database_in_memory: Database, server: FaultServer) -> None:
    assert carry(database_in_memory, server.url(), development=True).verdict is Verdict.DONE
    (request,) = server.requests
    assert request.startswith("POST /secret-path?secret-query HTTP/1.1\r\n")
    assert "Content-Type: application/x-www-form-urlencoded\r\n" in request
