"""The captcha that an environment may demand before a code is sent or somebody is signed in."""

from collections.abc import Mapping
from typing import Any

from bridge.emulator.errors import CaptchaError
from bridge.emulator.switches import Switches

SITE_KEY = "10000000-ffff-ffff-ffff-000000000001"
"""hCaptcha's own, for tests: it always passes."""


def check_captcha(body: Mapping[str, Any], switches: Switches) -> None:
    """CaptchaError if a captcha is demanded and `captchaToken` is not there. Any that is there will do."""
    token = body.get("captchaToken")
    if switches.captcha_enabled and not (isinstance(token, str) and token):
        raise CaptchaError("the captcha was not solved")
