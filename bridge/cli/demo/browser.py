"""A browser without JavaScript, of the standard library alone: it follows redirects and submits the forms of pages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPMessage
from http.cookiejar import CookieJar
from typing import IO
from urllib.error import HTTPError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import HTTPCookieProcessor, HTTPRedirectHandler, Request, build_opener

from bridge.cli.demo.telling import DemoFailed

MOST_REDIRECTS = 10
VOID = {"br", "hr", "img", "input", "link", "meta", "path", "rect"}


@dataclass(slots=True)
class _Form:
    method: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict)  # by id: the name and value that they send


class Page(HTMLParser):
    """What a browser shows: `way` is every URL that led here, the last one its own."""

    def __init__(self, way: list[str], html: str) -> None:
        super().__init__()
        self.way = way
        self.url = way[-1]
        self.texts: dict[str, str] = {}
        self.links: dict[str, str] = {}
        self.forms: list[_Form] = []
        self._open: list[tuple[str, str]] = []
        self.feed(html)

    @property
    def place(self) -> str:
        """Its URL without the query."""
        return self.url.partition("?")[0]

    def steps(self) -> Iterator[str]:
        """The way here, as people read it."""
        for url in self.way:
            parts = urlsplit(url)
            yield f"{parts.netloc}{parts.path}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        own_id = found.get("id", "")
        if own_id:
            self.texts[own_id] = ""
        if tag == "a" and "href" in found:
            self.links[own_id] = found["href"]
        if tag == "form":
            self.forms.append(_Form(found.get("method", "get"), found.get("action", "")))
        if self.forms and tag == "input":
            self.forms[-1].fields[found.get("name", "")] = found.get("value", "")
        if self.forms and tag == "button":
            self.forms[-1].buttons[own_id] = (found.get("name", ""), found.get("value", ""))
        if tag not in VOID:
            self._open.append((tag, own_id))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, own_id in self._open:
            if own_id:
                self.texts[own_id] += data.strip()


class Browser:
    """One browser: its cookies go where they came from."""

    def __init__(self) -> None:
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()), _NoRedirects)

    def open(self, url: str) -> Page:
        return self._go(Request(url))  # noqa: S310 - our own server

    def press(self, page: Page, element_id: str, typed: Mapping[str, str] | None = None) -> Page:
        """Follow the page's link, or submit the form of its button with what was typed. DemoFailed if it has none."""
        if element_id in page.links:
            return self.open(urljoin(page.url, page.links[element_id]))
        for form in page.forms:
            if element_id in form.buttons:
                return self._submit(page, form, {**form.fields, **(typed or {}), **dict([form.buttons[element_id]])})
        raise DemoFailed(f"{page.place} has no {element_id}; it has {', '.join(filter(None, page.texts))}")

    def _submit(self, page: Page, form: _Form, fields: Mapping[str, str]) -> Page:
        sent = urlencode({name: value for name, value in fields.items() if name})
        url = urljoin(page.url, form.action)
        if form.method.lower() != "post":
            return self.open(f"{url}?{sent}")
        parts = urlsplit(page.url)
        return self._go(Request(url, sent.encode(), {"Origin": f"{parts.scheme}://{parts.netloc}"}))  # noqa: S310

    def _go(self, request: Request) -> Page:
        way = [request.full_url]
        while True:
            try:
                with self._opener.open(request, timeout=10) as answer:
                    return Page(way, answer.read().decode())
            except HTTPError as other:
                with other:
                    location = other.headers.get("Location")
                    if other.code not in {302, 303} or location is None or len(way) > MOST_REDIRECTS:
                        html = other.read().decode(errors="replace")
                        raise DemoFailed(
                            f"{' → '.join(Page(way, '').steps())} answered {other.code}:\n{html}"
                        ) from other
            way.append(urljoin(way[-1], location))
            request = Request(way[-1])  # noqa: S310 - as a browser: a redirect of a form is fetched by GET


class _NoRedirects(HTTPRedirectHandler):
    """Redirects come back as errors, so that each one is seen."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        """No."""
