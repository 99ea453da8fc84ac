"""The only door to requests: every call to another server goes out here, and none can hurt us.

A total deadline (a server that drips bytes gains nothing), a cap on the body, no redirects, no compression, an
address guard, and a bulkhead: a few threads do the waiting, so a slow server slows nobody else.
"""

import functools
import json
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context

from bridge.errors import FetchFailed, NoAnswer, NotCalled
from bridge.waiting import about_to_wait

MAX_BODY_BYTES = 256 * 1024
_ADDRESSES = 4  # of a name that are tried; whoever owns the name writes as many as they like

_GLOBAL_UNICAST, _DOCUMENTATION = ip_network("2000::/3"), ip_network("3fff::/20")
_NAT64 = ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer within every limit."""

    status: int
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def retry_after(self) -> int | None:
        """The seconds for which it wants to be left alone, if it says so (RFC 9110 section 10.2.3).

        A date counts from the answer's own: no clock has to be right for it.
        """
        said = self._header("retry-after")
        if said.isascii() and said.isdecimal():
            return int(said) if len(said) < 10 else None
        try:
            left = parsedate_to_datetime(said) - parsedate_to_datetime(self._header("date"))
        except (ValueError, TypeError, OverflowError):
            return None
        return max(0, int(left.total_seconds()))

    def _header(self, wanted: str) -> str:
        return next((value for name, value in self.headers.items() if name.lower() == wanted), "")

    def json(self) -> Any:
        """The body as JSON. Raises FetchFailed if it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise FetchFailed("answer is not JSON") from error


@dataclass(frozen=True, slots=True)
class _Call:
    """What goes out."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None = field(repr=False)
    deadline: float
    reads_answer: bool = True


class _Wire:
    """The socket that one call is using, so that a deadline can cut it wherever it blocks."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.cut = False

    def attach(self, sock: socket.socket) -> None:
        self.socket = sock
        if self.cut:
            self.sever()

    def sever(self) -> None:
        self.cut = True
        if self.socket is not None:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


_current = threading.local()


def _connect(host: str, port: int, timeout: float, *, allow_loopback: bool) -> socket.socket:
    """A connection to an address that was checked: resolved once, so a name cannot change its mind (rebinding).

    `timeout`, in seconds, is for all of its addresses together.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not is_public(address) and not (allow_loopback and ip_address(address).is_loopback):
            raise OSError("address is not public")
    ends_at = time.monotonic() + timeout
    failure: OSError = OSError("no address")
    for address in addresses[:_ADDRESSES]:
        left = ends_at - time.monotonic()
        if left <= 0 or _current.wire.cut:  # the caller has gone: the thread is wanted elsewhere
            break
        try:
            return socket.create_connection((address, port), left)
        except OSError as error:
            failure = error
    raise failure


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the public Internet (RFC 6890).

    Of IPv6 only global unicast counts; an IPv4 address inside it is judged for itself where it can be reached so
    (mapped, 6to4, NAT64).
    """
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None)
        if inner is None:
            return ip in _GLOBAL_UNICAST and ip.is_global and ip not in _DOCUMENTATION
        ip = inner
    return ip.is_global and not ip.is_multicast


def _guarded(base: type[HTTPConnection], *, allow_loopback: bool) -> type[HTTPConnection]:
    class Guarded(base):  # type: ignore[misc,valid-type]
        def _new_conn(self) -> socket.socket:
            try:
                sock = _connect(self.host, int(self.port), float(self.timeout), allow_loopback=allow_loopback)
            except OSError as error:
                raise NewConnectionError(self, type(error).__name__) from error
            _current.wire.attach(sock)
            return sock

        def connect(self) -> None:
            super().connect()
            _current.wire.attach(self.sock)  # now the TLS socket

    return Guarded


class _Adapter(HTTPAdapter):
    def __init__(self, *, allow_loopback: bool) -> None:
        self._allow_loopback = allow_loopback
        super().__init__(pool_connections=4, pool_maxsize=4, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        plain = _guarded(HTTPConnection, allow_loopback=self._allow_loopback)
        secure = _guarded(HTTPSConnection, allow_loopback=self._allow_loopback)
        self.poolmanager.pool_classes_by_scheme = {
            "http": type("PlainPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("SecurePool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }

    def build_connection_pool_key_attributes(self, *args: Any, **kwargs: Any) -> Any:
        host, secured = super().build_connection_pool_key_attributes(*args, **kwargs)
        return host, {**secured, "ssl_context": _trust()} if host["scheme"] == "https" else secured

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        del url, verify, cert
        conn.cert_reqs = "CERT_REQUIRED"  # and no file beside it: each connection would load it into the context anew


@functools.cache
def _trust() -> ssl.SSLContext:
    """Whom we believe who they are, read once for all calls: reading the authorities' file takes 20 to 30 ms of CPU."""
    context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


class Fetcher:
    """Calls to other servers. `development` allows plain http and loopback, and nothing else that is special."""

    def __init__(self, *, development: bool, threads: int = 4) -> None:
        self._development = development
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._free = threading.Semaphore(threads)

    def get(self, url: str, *, deadline: float, headers: Mapping[str, str] | None = None) -> Fetched:
        """GET `url` within `deadline` seconds in all, of which none is spent waiting for a place in the bulkhead.

        Raises FetchFailed: no connection, refused address or scheme, deadline passed, body over 256 kB, redirect,
        compressed answer; NotCalled if every thread of the bulkhead is busy. Any other status is the caller's to judge.
        """
        return self._called(_Call("GET", url, {"Accept": "application/json", **(headers or {})}, None, deadline))

    def post(self, url: str, body: bytes, *, deadline: float, headers: Mapping[str, str] | None = None) -> Fetched:
        """POST `body` to `url`, as `get` does; the headers name its Content-Type. Raises FetchFailed and NotCalled."""
        return self._called(_Call("POST", url, {"Accept": "application/json", **(headers or {})}, body, deadline))

    def post_form(self, url: str, form: Mapping[str, str], *, deadline: float) -> Fetched:
        """POST a form to `url`, within the same limits; status and headers, for of the body nothing is read.

        Raises FetchFailed as `get` does, and NotCalled.
        """
        headers = {"Accept": "*/*", "Content-Type": "application/x-www-form-urlencoded"}
        body = urlencode(form).encode("ascii")
        return self._called(_Call("POST", url, headers, body, deadline, reads_answer=False))

    def close(self) -> None:
        """Let go of the threads; calls under way end by their own deadline."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _called(self, call: _Call) -> Fetched:
        self._check_scheme(call.url)
        about_to_wait()
        if not self._free.acquire(blocking=False):
            raise NotCalled("too many calls under way")
        wire = _Wire()
        try:
            future: Future[Fetched] = self._pool.submit(self._call, call, wire)
        except RuntimeError as error:
            self._free.release()
            raise NotCalled("shutting down") from error
        future.add_done_callback(lambda _: self._free.release())
        try:
            return future.result(timeout=call.deadline)
        except CancelledError as error:
            raise NotCalled("shutting down") from error
        except FutureTimeout as error:
            wire.sever()
            raise NoAnswer("deadline passed") from error

    def _check_scheme(self, url: str) -> None:
        try:
            scheme = urlsplit(url).scheme
        except ValueError as error:
            raise FetchFailed("not an address") from error
        if scheme != "https" and not (self._development and scheme == "http"):
            raise FetchFailed("not an https address")

    def _call(self, call: _Call, wire: _Wire) -> Fetched:
        _current.wire = wire
        session = requests.Session()  # a new one each time: a severed connection must never be used again
        session.trust_env = False  # neither a proxy nor a netrc password comes from the environment
        session.mount("http://", _Adapter(allow_loopback=self._development))
        session.mount("https://", _Adapter(allow_loopback=self._development))
        try:
            with (
                session,
                session.request(
                    call.method,
                    call.url,
                    data=call.body,
                    headers={"Accept-Encoding": "identity", "User-Agent": "dynamic-oidc-bridge", **call.headers},
                    timeout=call.deadline,
                    stream=True,
                    allow_redirects=False,
                ) as answer,
            ):
                if 300 <= answer.status_code < 400:
                    raise FetchFailed("answer is a redirect")
                if not call.reads_answer:
                    return Fetched(answer.status_code, b"", dict(answer.headers))
                if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
                    raise FetchFailed("answer is compressed")
                return Fetched(answer.status_code, _capped_body(answer), dict(answer.headers))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # The class alone: the text of these errors repeats the URL.
            raise NoAnswer(f"no answer: {type(error).__name__}") from error


def _capped_body(answer: requests.Response) -> bytes:
    body = bytearray()
    while chunk := answer.raw.read1(16 * 1024, decode_content=False):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise FetchFailed("answer is larger than 256 kB")
    return bytes(body)
