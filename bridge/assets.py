"""Where templates/, migrations/, login-page/ and examples/flask are: inside the wheel, or at the top of a checkout."""

import sys
from pathlib import Path

_PACKAGE = Path(__file__).parent
_PACKED = _PACKAGE / "_assets"


def _folder(name: str) -> Path:
    packed = _PACKED / name
    return packed if packed.is_dir() else _PACKAGE.parent / name


TEMPLATES = _folder("templates")
MIGRATIONS = _folder("migrations")
FLASK_EXAMPLE = _folder("examples/flask")
LOGIN_PAGE = _folder("login-page")  # its sources


def default_login_page() -> Path:
    """Where the sign-in page is built, and looked for: in the checkout, else in the Python environment we are in."""
    if _PACKED.is_dir():
        return Path(sys.prefix) / "share" / "dynamic-oidc-bridge" / "login-page"
    return LOGIN_PAGE / "dist"
