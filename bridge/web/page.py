"""What every page is made by: a template, under the headers with which it is safe to show."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from flask import Response, make_response, render_template

from bridge.web import untrusted

ReferrerPolicy = Literal["no-referrer", "same-origin", "origin"]


@dataclass(frozen=True, slots=True)
class Bundled:
    """What a page needs that runs the script of login-page/: its two files, and the one host that it may call.

    `assets` is the URL that both files are below, with a slash at its end; `calls` an origin. `config` is what the
    script is told.
    """

    script: str
    style: str
    assets: str
    calls: str
    config: Mapping[str, object] = field(repr=False)


def page(
    template: str,
    *,
    status: int = 200,
    posts_to: str | None = None,
    referrer: ReferrerPolicy | None = None,
    logos: Iterable[str] = (),
    script: bool = False,
    public: bool = False,
    bundle: Bundled | None = None,
    **values: object,
) -> Response:
    """A page under a policy that allows what it is known to need, and nothing else."""
    if posts_to is not None and untrusted.link(posts_to) is None:
        raise ValueError(f"{template}: a form can be posted to http(s) only")
    nonce = secrets.token_urlsafe(16)
    images = list(dict.fromkeys(f"https://{urlsplit(logo).netloc}" for logo in logos))
    if bundle is None:
        policy = ["default-src 'none'", f"style-src 'nonce-{nonce}'"]
    else:
        policy = ["default-src 'none'", f"style-src 'nonce-{nonce}' {bundle.assets}"]
        policy += [f"script-src {bundle.assets}", f"connect-src {bundle.calls}"]
        images.append("data:")  # wallets bring their icons with them (EIP-6963)
    if script:
        policy.append(f"script-src 'nonce-{nonce}'")
    if images:
        policy.append(f"img-src {' '.join(images)}")
    policy.append("base-uri 'none'")
    if posts_to is None:
        # Left out where a form is: Chromium holds it against every redirect that follows the post, and they lead to
        # the app and on to wherever the app sends its users. That no form is smuggled in rests on escaping.
        policy.append("form-action 'none'")
    policy.append("frame-ancestors 'none'")

    body = render_template(template, nonce=nonce, action=posts_to, bundle=bundle, **values)
    response = make_response(body.encode(errors="replace"), status)  # half a surrogate pair is no reason to fail
    response.headers["Content-Security-Policy"] = "; ".join(policy)
    response.headers["X-Frame-Options"] = "DENY"
    # Under no-referrer a browser posts with Origin: null, and who takes the form could not check where it came from.
    response.headers["Referrer-Policy"] = referrer or ("same-origin" if posts_to else "no-referrer")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-cache" if public else "no-store"
    if public:
        # Not on the way to an app: a sign-in in a popup needs the window that opened it.
        response.headers["Cross-Origin-Opener-Policy"] = "same-origin"
    return response
