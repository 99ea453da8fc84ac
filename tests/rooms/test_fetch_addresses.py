"""Where an outbound call may go, and where it must never arrive: seen from servers that wait for it."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from test_fetch import FaultServer, answer, failure

from bridge import fetch
from bridge.errors import FetchFailed
from bridge.fetch import Fetcher, is_public


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with closing(FaultServer(answer())) as server:
        yield server


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_production_calls_never_reach_this_machine(host: str, server: FaultServer) -> None:
    with closing(Fetcher(development=False)) as fetcher:
        assert "deadline" not in failure(fetcher, server.url("https", host))

    assert server.accepted == 0


def test_development_allows_loopback_and_no_other_special_address(server: FaultServer) -> None:
    with closing(Fetcher(development=True)) as fetcher:
        assert fetcher.get(server.url(host="localhost"), deadline=2).status == 200
        failure(fetcher, server.url(host="0.0.0.0"))  # which the kernel would take to loopback

    assert server.accepted == 1


def test_production_calls_speak_https_only(server: FaultServer) -> None:
    with closing(Fetcher(development=False)) as fetcher:
        assert failure(fetcher, server.url()) == "not an https address"


@pytest.mark.parametrize(
    "url",
    [
        *("", "//127.0.0.1/", "127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "data:,x", "javascript:x"),
        *("https://", "https:///x", "https://[", "https://[::1/", "https://127.0.0.1:99999/", "https://127.0.0.1:x/"),
        *("https://a..example/", "https://" + "a" * 300 + "/", "https://\ud800/", "https://a b/", "https://\x00/"),
    ],
)
@pytest.mark.parametrize("development", [True, False])
def test_an_address_that_is_none_is_a_failed_fetch(url: str, development: bool) -> None:
    with closing(Fetcher(development=development)) as fetcher:
        failure(fetcher, url)


def self_signed(directory: Path) -> ssl.SSLContext:
    """A server's context with a certificate that nobody vouches for, good for localhost in all else."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    began = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, began, began + timedelta(days=2))
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    certificate = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, *form)
    pem = directory / "server.pem"
    pem.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def test_a_certificate_that_nobody_vouches_for_is_refused_in_development_too(tmp_path: Path) -> None:
    with (
        closing(FaultServer(answer(), self_signed(tmp_path))) as server,
        closing(Fetcher(development=True)) as fetcher,
    ):
        assert failure(fetcher, server.url("https", "localhost"), deadline=2) == "no answer: SSLError"

    assert server.requests == []


def test_authorities_are_read_once_and_names_are_checked_at_every_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = self_signed(tmp_path)
    authorities = tmp_path / "authorities.pem"
    authorities.write_text((tmp_path / "server.pem").read_text().partition("-----BEGIN PRIVATE KEY")[0])
    monkeypatch.setattr(fetch, "DEFAULT_CA_BUNDLE_PATH", str(authorities))
    fetch._trust.cache_clear()
    with (
        closing(FaultServer(answer(), context)) as server,
        closing(Fetcher(development=True)) as fetcher,
    ):
        assert fetcher.get(server.url("https", "localhost"), deadline=2).status == 200
        authorities.unlink()
        assert fetcher.get(server.url("https", "localhost"), deadline=2).status == 200
        assert failure(fetcher, server.url("https", "127.0.0.1"), deadline=2) == "no answer: SSLError"
        assert fetcher.get(server.url("https", "localhost"), deadline=2).status == 200

    assert len(server.requests) == 3
    fetch._trust.cache_clear()


PUBLIC = ("8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808")
SPECIAL = {
    "this network": ("0.0.0.0", "0.1.2.3", "::"),
    "loopback": ("127.0.0.1", "127.255.255.254", "::1"),
    "private": ("10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "fc00::1", "fd00:ec2::254"),
    "link-local": ("169.254.169.254", "fe80::1", "fe80::1%eth0", "fec0::1"),
    "carrier NAT": ("100.64.0.1", "100.127.255.255"),
    "multicast": ("224.0.0.1", "224.0.1.1", "239.255.255.255", "ff02::1", "ff0e::1"),
    "broadcast and reserved": ("255.255.255.255", "240.0.0.1"),
    "documentation": ("192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"),
    "benchmarks, protocols, discard": ("198.18.0.1", "198.19.255.255", "192.0.0.1", "100::1", "2001:2::1", "5f00::1"),
    "IPv4 inside IPv6": ("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1"),
    "6to4 and Teredo": ("2002:7f00:1::", "2002:a00:1::1", "2002:a9fe:a9fe::", "2001:0:7f00:1::"),
    "NAT64": ("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::7f00:1"),
    "IPv4 translated": ("::ffff:0:127.0.0.1", "::ffff:0:169.254.169.254"),
}


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(("kind", "address"), [(kind, a) for kind, addresses in SPECIAL.items() for a in addresses])
def test_a_special_address_is_not_public(kind: str, address: str) -> None:
    assert not is_public(address)


def test_all_addresses_of_a_name_share_one_deadline_and_few_are_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a name with many addresses that swallow packets holds the bulkhead's threads (threats: slow receivers)."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"8.8.8.{number}", 443)) for number in range(1, 41)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: found)
    allowed: list[float] = []

    def swallowed(_address: object, timeout: float) -> socket.socket:
        allowed.append(timeout)
        if timeout < 1:  # the first one takes all the time that there is
            Event().wait(timeout)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", swallowed)
    with closing(Fetcher(development=False, threads=1)) as fetcher:
        with pytest.raises(FetchFailed):
            fetcher.post_form("https://many.example/", {}, deadline=5)
        assert len(allowed) == 4
        assert allowed == sorted(allowed, reverse=True)
        allowed.clear()
        with pytest.raises(FetchFailed):
            fetcher.post_form("https://many.example/", {}, deadline=0.1)
    assert len(allowed) == 1
