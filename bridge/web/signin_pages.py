"""The two pages that run the script of login-page/, with Dynamic's SDK in it."""

from dataclasses import dataclass

from flask import Response

from bridge.web import untrusted
from bridge.web.page import Bundled, page
from bridge.web.render import App, shown


@dataclass(frozen=True, slots=True)
class SignIn:
    """Sign in to an app. Token, or `error` access_denied for who does not want to, are posted to `action`."""

    app: App
    action: str
    request_id: str
    bundle: Bundled


@dataclass(frozen=True, slots=True)
class SigningOut:
    """Signed out here, and the script does the same at Dynamic. `target`: where the browser then goes, in any case.

    `erased`: the user's data is gone as well.
    """

    bundle: Bundled
    target: str | None = None
    app_name: str | None = None
    back_url: str | None = None
    erased: bool = False


def sign_in(what: SignIn) -> Response:
    """Our own sign-in page. Raises ValueError if `action` is not http(s)."""
    app = shown(what.app)
    return page(
        "signin.html",
        posts_to=what.action,
        logos=filter(None, [app["logo_uri"]]),
        bundle=what.bundle,
        app=app,
        fields=[("request", what.request_id)],
    )


def signing_out(what: SigningOut) -> Response:
    """The page on the way from a logout here to where it leads."""
    return page(
        "signing_out.html",
        bundle=what.bundle,
        target=what.target,  # registered, perhaps with a scheme of an app's own
        app_name=untrusted.name(what.app_name),
        back_url=untrusted.link(what.back_url),
        erased=what.erased,
    )
