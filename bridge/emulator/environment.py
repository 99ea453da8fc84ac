"""What an environment says of itself to anybody who asks."""

from bridge.emulator.switches import Switches

ENABLED_AT = "2026-01-01T00:00:00.000Z"
DURATIONS = (("days", 24 * 60), ("hours", 60), ("minutes", 1))


def project_settings(switches: Switches) -> dict[str, object]:
    """The `ProjectSettings` of /settings: the parts a server reads, the lists without which Dynamic's SDK does not
    start, and what its React widget draws a sign-in by e-mail from (by wallet: `chains`, `networks`, a section)."""
    return {
        "environmentName": "sandbox",
        "general": {"displayName": "Dynamic emulator"},
        "chains": [],
        "kyc": [],
        "providers": [{"provider": "dynamic", "enabledAt": ENABLED_AT}],
        "networks": [],
        "sdk": {
            "emailSignIn": {"signInProvider": "dynamic"},
            "views": [{"type": "login", "sections": [{"type": "email"}]}],
            "walletConnect": {"projectId": "emulator"},
        },
        "design": {"modal": {}},
        "security": {
            "auth": {"storage": ["cookie"] if switches.cookie_mode else ["localStorage"]},
            "jwtDuration": _duration(switches.jwt_duration_minutes),
            "mfa": {"enabled": switches.mfa_required, "required": switches.mfa_required, "methods": []},
            "deviceRegistrationRequired": switches.device_registration_required,
            "environmentLocked": switches.environment_locked,
            "allowedOrigins": list(switches.allowed_origins),
            "hCaptcha": {"enabled": switches.captcha_enabled},
        },
    }


def _duration(minutes: int) -> dict[str, object]:
    """In the largest unit that divides it."""
    unit, size = next((unit, size) for unit, size in DURATIONS if minutes % size == 0)
    return {"amount": minutes // size, "unit": unit}
