"""The pages without a browser: nothing that a stranger wrote leaves its place, and the headers are exact."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask, Response

from bridge.assets import TEMPLATES
from bridge.reasons import Reason
from bridge.web import render, untrusted

ACTION = "https://id.example.com/authorize"
OWN = "https://app.example.com"

APP = render.App("App", f"{OWN}/logo.png", OWN, f"{OWN}/privacy", f"{OWN}/terms")
CONSENT = render.Consent(APP, "maya@example.com", ("openid", "x:y"), ACTION, {"request": "r"}, f"{OWN}/cb", f"{OWN}/in")
PAGES: Mapping[str, tuple[Any, Callable[[Any], Response]]] = {
    "consent": (CONSENT, render.consent),
    "consent-app": (APP, lambda app: render.consent(replace(CONSENT, app=app))),
    "logout": (render.Logout(ACTION, {"request": "r"}, "maya@example.com", "App", f"{OWN}/stay"), render.logout),
    "logged_out": (render.LoggedOut("App", OWN), render.logged_out),
    "error": (
        render.Error("Title", "Sentence.", "some_code", "abc123", 403, f"{OWN}/why", f"{OWN}/retry", OWN, "App"),
        render.error,
    ),
    "signin_missing": (render.SigninMissing("app", "App", OWN), render.signin_missing),
    "form_post": (render.FormPost(f"{OWN}/cb", {"code": "c"}, "App"), render.form_post),
    "index": (render.Index("https://id.example.com", {"Keys": "https://id.example.com/jwks"}), render.index),
    "reasons": ("https://id.example.com", render.reasons),
    "reason": ("https://id.example.com", lambda issuer: render.reason(issuer, Reason.MFA_OWED)),
}

PERSIAN = "\u0645\u06cc\u200c\u062e\u0648"  # with a joiner that its spelling needs

MARK = "zq7-mark-zq7"
PAYLOADS = (
    f"<script>{MARK}()</script>",
    f"</title><script>{MARK}()</script>",
    f"</style><script>{MARK}()</script>",
    f'"><img src=x onerror={MARK}()>',
    f"'><img src=x onerror={MARK}()>",
    f'" onfocus="{MARK}()" autofocus x="',
    f"' onfocus='{MARK}()' autofocus x='",
    f"` onfocus={MARK}() `",
    f" onfocus={MARK}() ",
    f"javascript:{MARK}()",
    f"JaVaScRiPt:{MARK}()",
    f"java\tscript:{MARK}()",
    f"\x01javascript:{MARK}()",
    f"javascript://app.example.com/%0a{MARK}()",
    f"data:text/html,<script>{MARK}()</script>",
    f"vbscript:{MARK}()",
    f"//evil.example/{MARK}",
    f"/\\evil.example/{MARK}",
    f"https:\\\\evil.example/{MARK}",
    f"https://app.example.com@evil.example/{MARK}",
    f'https://evil.example/" onclick="{MARK}()',
    f"https://evil.example/' onclick='{MARK}()",
    f"https://evil.example;script-src 'unsafe-inline'/{MARK}",
    f"https://evil.example;script-src/{MARK}",
    f"https://evil.example,*/{MARK}",
    f"https://evil.example:x/{MARK}",
    f"https://[evil/{MARK}",
    f"{{{{ {MARK} }}}}{{% raw %}}",
    f"&lt;script&gt;{MARK}()&lt;/script&gt;",
    f"<!--{MARK}-->",
    f"<base href=//evil.example/{MARK}>",
    f"\u202e{MARK}<b>\u2066",
    f"\u2028{MARK}\r\nSet-Cookie: {MARK}=1",
    f"\ud800{MARK}",
)


class Skeleton(HTMLParser):
    """What a page is made of, whatever its texts: tags, the attributes' names, and the values of those that act."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.shape: list[tuple[str, tuple[str, ...]]] = []
        self.urls: list[str] = []
        self.ids: list[str] = []
        self.feed(response.get_data(as_text=True))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        values = dict(attrs)
        self.urls += [str(values[name]) for name in ("href", "src", "action") if name in values]
        if "id" in values:
            self.ids.append(str(values["id"]))

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


@pytest.fixture(autouse=True)
def _in_an_app() -> Iterator[None]:
    app = Flask("pages", template_folder=str(TEMPLATES), static_folder=None)
    with app.test_request_context():
        yield


def with_payload(context: Any, payload: str) -> Iterator[tuple[str, Any, list[Any]]]:
    """The payload in one field after the other: the field's name, the context, and the contexts it may look like."""
    if isinstance(context, str):
        yield "issuer", payload, [context]
        return
    for each in fields(context):
        value = getattr(context, each.name)
        if isinstance(value, Mapping):
            [(key, harmless)] = value.items()
            yield each.name, replace(context, **{each.name: {payload: harmless}}), [context]
            yield (
                each.name,
                replace(context, **{each.name: {key: payload}}),
                [context, _without(context, each.name, {})],
            )
        elif isinstance(value, tuple):
            yield each.name, replace(context, **{each.name: (*value[:-1], payload)}), [context]
        elif isinstance(value, str):
            yield each.name, replace(context, **{each.name: payload}), [context, _without(context, each.name, None)]


def _without(context: Any, name: str, nothing: Any) -> Any:
    is_optional = next(each for each in fields(context) if each.name == name).default is None or name == "links"
    return replace(context, **{name: nothing}) if is_optional else context


@pytest.mark.parametrize("payload", PAYLOADS, ids=ascii)
@pytest.mark.parametrize("name", PAGES)
def test_no_field_breaks_out_of_its_place(name: str, payload: str) -> None:
    """Threats O14. The page keeps its skeleton, or has the one it has without the field: nothing is added to it."""
    context, show = PAGES[name]
    for place, hostile, likenesses in with_payload(context, payload):
        try:
            response = show(hostile)
        except ValueError:
            assert place in ("action", "redirect_uri"), place
            continue
        found = Skeleton(response)
        assert found.shape in [Skeleton(show(likeness)).shape for likeness in likenesses], place
        for url in found.urls:
            parts = urlsplit(url)
            assert parts.scheme in ("http", "https") or (url.startswith("/") and not parts.netloc), place
            assert parts.netloc in ("", "id.example.com", "app.example.com", "evil.example"), place
        assert MARK not in str(response.headers), place
        policy = re.sub(r"'nonce-[^']*'", "", response.headers["Content-Security-Policy"])
        assert "evil" not in policy.replace("; img-src https://evil.example;", ";"), place


@pytest.mark.parametrize("url", [p for p in PAYLOADS if not p.startswith("https://evil.example/")], ids=ascii)
def test_a_form_goes_nowhere_but_to_http(url: str) -> None:
    if untrusted.link(url) is not None:
        assert urlsplit(url).scheme == "https"
        return
    with pytest.raises(ValueError, match="http"):
        render.consent(replace(CONSENT, action=url))
    with pytest.raises(ValueError, match="http"):
        render.logout(render.Logout(url, {}))
    with pytest.raises(ValueError, match="http"):
        render.form_post(render.FormPost(url, {}))


IDS = {
    "consent": ["consent-title", "consent-user", "consent-deny", "consent-allow", "consent-goes-to", "consent-switch"],
    "logout": ["logout-title", "logout-user", "logout-confirm", "logout-stay"],
    "logged_out": ["logged-out-title", "logged-out-back"],
    "error": ["error-title", "error-sentence", "error-code", "error-request-id", "error-retry", "error-back"],
    "signin_missing": ["signin-missing-title", "signin-missing-client", "signin-missing-back"],
    "form_post": ["form-post-title", "form-post", "form-post-continue"],
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_its_ids_once(name: str) -> None:
    context, show = PAGES[name]
    ids = Skeleton(show(context)).ids
    assert set(IDS.get(name, [])) <= set(ids)
    assert len(ids) == len(set(ids))


FORM = ("consent", "consent-app", "logout", "form_post")
PUBLIC = ("index", "reasons", "reason")


@pytest.mark.parametrize("name", PAGES)
def test_the_headers_are_exact(name: str) -> None:
    context, show = PAGES[name]
    response = show(context)
    nonce = re.search(r'<style nonce="([^"]{22})">', response.get_data(as_text=True))
    assert nonce is not None
    policy = [
        "default-src 'none'",
        f"style-src 'nonce-{nonce[1]}'",
        *([f"script-src 'nonce-{nonce[1]}'"] if name == "form_post" else []),
        *(["img-src https://app.example.com"] if name.startswith("consent") else []),
        "base-uri 'none'",
        *([] if name in FORM else ["form-action 'none'"]),
        "frame-ancestors 'none'",
    ]
    referrer = "origin" if name == "form_post" else "same-origin" if name in FORM else "no-referrer"
    assert dict(response.headers) == {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Length": str(len(response.get_data())),
        "Content-Security-Policy": "; ".join(policy),
        "X-Frame-Options": "DENY",
        "Referrer-Policy": referrer,
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache" if name in PUBLIC else "no-store",
        **({"Cross-Origin-Opener-Policy": "same-origin"} if name in PUBLIC else {}),
    }
    assert response.status_code == {"error": 403, "signin_missing": 503}.get(name, 200)


def test_a_nonce_is_used_once() -> None:
    seen = {render.logged_out(render.LoggedOut()).headers["Content-Security-Policy"] for _ in range(20)}
    assert len(seen) == 20


def test_hidden_fields_keep_every_character() -> None:
    state = "a b+c%20&amp;&quot;\"'<>é\u200b"
    body = render.form_post(render.FormPost(f"{OWN}/cb", {"state": state})).get_data(as_text=True)
    inputs: list[dict[str, str | None]] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: inputs.append(dict(attrs)) if tag == "input" else None  # type: ignore[method-assign]
    parser.feed(body)
    assert inputs == [{"type": "hidden", "name": "state", "value": state}]


@pytest.mark.parametrize("word", [*render.SCOPES, "invoices:read"])
def test_a_scope_is_told_in_words_or_as_it_is(word: str) -> None:
    body = render.consent(replace(CONSENT, scopes=(word,))).get_data(as_text=True)
    assert render.SCOPES.get(word, f"<code>{word}</code>") in body


@pytest.mark.parametrize(
    ("logo", "source"),
    [
        ("https://cdn.example.com/a.png", "https://cdn.example.com"),
        ("https://cdn.example.com:8443/a.png?x=1", "https://cdn.example.com:8443"),
        ("http://cdn.example.com/a.png", None),
        ("https://cdn.example.com;script-src/a.png", None),
        ("https://*.example.com/a.png", None),
        ("https://*/a.png", None),
        ("https://cdn.example.com,x/a.png", None),
        ("https://'unsafe-inline'/a.png", None),
        ("https://bücher.example/a.png", None),
        ("https://user@cdn.example.com/a.png", None),
        ("data:image/png;base64,AAAA", None),
        (None, None),
    ],
)
def test_a_logo_opens_the_policy_for_its_origin_and_nothing_else(logo: str | None, source: str | None) -> None:
    response = render.consent(replace(CONSENT, app=replace(APP, logo_uri=logo)))
    found = re.search(r"img-src ([^;]*)", response.headers["Content-Security-Policy"])
    assert (found and found[1]) == source
    assert ("<img" in response.get_data(as_text=True)) == (source is not None)


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("  Two\n\twords ", "Two words"),
        ("\u202egro.knab\u202c", "gro.knab"),
        ("zero\u200bwidth\ufeff\u00ad", "zerowidth"),
        (PERSIAN, PERSIAN),
        ("👩\u200d🚀", "👩\u200d🚀"),
        ("\x00\x1b[31m\x85", "[31m"),
        ("x" * 300, "x" * 119 + "…"),
    ],
)
def test_a_stranger_s_text_is_one_plain_line(given: str, shown: str) -> None:
    assert untrusted.line(given) == shown


@pytest.mark.parametrize("blank", ["", "  \n", "\u200b\u202e", None])
def test_an_app_without_a_name_is_the_app(blank: str | None) -> None:
    assert untrusted.name(blank) == "the app"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://app.example.com/cb?x=1", "app.example.com"),
        ("http://localhost:3000/cb", "localhost:3000"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://\u0430pple.example/", "xn--pple-43d.example"),  # a Cyrillic letter
        ("https://app.example.com@evil.example/", None),
        ("com.example.app:/cb", None),
        (f"https://{'ü' * 70}.example/", None),
        (None, None),
    ],
)
def test_a_host_is_shown_in_letters_that_do_not_lie(url: str | None, shown: str | None) -> None:
    assert untrusted.host(url) == shown
