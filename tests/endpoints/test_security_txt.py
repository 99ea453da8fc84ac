"""/.well-known/security.txt (RFC 9116)."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from conftest import Bridge

from bridge.config.settings import ConfigFaults

PATH = "/.well-known/security.txt"
MAIL = "mailto:security@example.com"


def fields_of(bridge: Bridge) -> dict[str, str]:
    answer = bridge.http.get(PATH)
    assert answer.status_code == 200
    assert answer.content_type == "text/plain; charset=utf-8"
    return dict(line.split(": ", 1) for line in answer.text.splitlines())


def test_without_a_contact_there_is_no_security_txt(bridge: Bridge) -> None:
    assert bridge.http.get(PATH).status_code == 404


@pytest.mark.parametrize("contact", [MAIL, "https://example.com/security"])
def test_security_txt_names_the_contact_and_where_it_stands(make_bridge: Callable[..., Bridge], contact: str) -> None:
    named = fields_of(make_bridge(BRIDGE_SECURITY_CONTACT=contact))
    assert named.keys() == {"Contact", "Expires", "Canonical"}
    assert named["Contact"] == contact
    assert named["Canonical"] == f"http://localhost:8080{PATH}"


def test_an_issuer_with_a_path_has_it_at_the_top_of_its_host(make_bridge: Callable[..., Bridge]) -> None:
    made = make_bridge(BRIDGE_SECURITY_CONTACT=MAIL, BRIDGE_ISSUER="http://localhost:8080/id")
    assert fields_of(made)["Canonical"] == f"http://localhost:8080{PATH}"


def test_it_expires_by_the_clock_within_a_year_and_never_while_it_is_served(make_bridge: Callable[..., Bridge]) -> None:
    made = make_bridge(BRIDGE_SECURITY_CONTACT=MAIL)
    for _ in range(3):
        expires = datetime.strptime(fields_of(made)["Expires"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        ahead = expires - datetime.fromtimestamp(made.clock(), UTC)
        assert timedelta(days=30) < ahead < timedelta(days=366)
        made.clock.forward(300 * 86400 + 17)


@pytest.mark.parametrize(
    "contact",
    [
        "security@example.com",
        "http://example.com/security",
        "mailto:",
        "mailto:a@b",
        "mailto:a@example.com?subject=x",
        "mailto:a@example.com\nContact: mailto:b@example.com",
        "https://",
        "https://example.com/\r\nExpires: 2030",
        "tel:+1-201-555-0123",
        "javascript:alert(1)",
    ],
)
def test_a_contact_that_is_neither_mail_nor_https_is_a_fault(make_bridge: Callable[..., Bridge], contact: str) -> None:
    with pytest.raises(ConfigFaults, match="BRIDGE_SECURITY_CONTACT"):
        make_bridge(BRIDGE_SECURITY_CONTACT=contact)
