"""Our own server's door, where the turn of a request for a thread comes too late."""

import asyncio
import logging
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import ISSUER, Bridge

from bridge.reasons import Reason
from bridge.web.rsgi import RsgiDoor

TOKEN = "metrics-token-of-the-tests-0123456789"


class Headers(dict[str, str]):
    def get_all(self, name: str) -> list[str]:
        return [self[name]] if name in self else []


def asked(door: RsgiDoor, path: str) -> tuple[int, dict[str, str], bytes]:
    """What the door sends as the answer to a GET, as a server would call it."""
    sent: list[tuple[int, list[tuple[str, str]], bytes]] = []
    scope: Any = SimpleNamespace(
        method="GET",
        path=path,
        query_string="",
        headers=Headers(),
        client="127.0.0.1:1",
        server="127.0.0.1:80",
        scheme="http",
        http_version="1.1",
    )

    async def run() -> None:
        loop = asyncio.get_running_loop()
        door._loop = loop  # __rsgi_init__ would forbid this thread, which is the tests', to wait ever after
        await door.__rsgi__(scope, SimpleNamespace(response_bytes=lambda *answer: sent.append(answer)))
        door.__rsgi_del__(loop)

    asyncio.run(run())
    ((status, headers, body),) = sent
    return status, dict(headers), body


@pytest.mark.parametrize("path", ["/userinfo", "/"])
def test_who_stood_in_line_too_long_is_told_to_come_again_and_the_reason_is_told_and_counted(
    make_bridge: Callable[..., Bridge], caplog: pytest.LogCaptureFixture, path: str
) -> None:
    caplog.set_level(logging.INFO, "bridge.requests")
    bridge = make_bridge(BRIDGE_METRICS_TOKEN=TOKEN)
    wsgi: Any = bridge.http.application.wsgi_app
    url = f"{ISSUER}/reasons"
    late = RsgiDoor(wsgi.routes, wsgi.pages, wsgi.watch, reasons_url=url, at_once=False, proxies=0, patience=-1.0)
    status, headers, body = asked(late, path)
    assert (status, headers["Retry-After"]) == (503, "5")
    assert b'"error":"temporarily_unavailable"' in body
    assert f'"error_uri":"{url}/{Reason.TOO_BUSY.code}"'.encode() in body
    assert Reason.TOO_BUSY.code in str([vars(record) for record in caplog.records])
    metrics = bridge.http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert 'oidc_bridge_refusals_total{reason="too_busy"} 1.0' in metrics
