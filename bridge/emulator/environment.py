"""What an environment says of itself to anybody who asks."""

from bridge.emulator.captcha import SITE_KEY
from bridge.emulator.switches import Switches

ENABLED_AT = "2026-01-01T00:00:00.000Z"
SECTIONS: tuple[dict[str, object], ...] = (
    {"type": "email"},
    {"type": "separator", "label": "Or"},
    {"type": "social", "defaultItem": "google"},
    {"type": "wallet", "numOfItemsToDisplay": 3},
)
NETWORK = {"networkId": 1, "chainName": "Ethereum Mainnet", "enabled": True}
ETHEREUM = {
    "name": "Ethereum Mainnet",
    "shortName": "Ethereum",
    "chain": "ETH",
    "chainId": 1,
    "networkId": 1,
    "iconUrls": [],
    "nativeCurrency": {"name": "Ether", "symbol": "ETH", "decimals": 18},
    "rpcUrls": ["http://127.0.0.1:9"],
    "blockExplorerUrls": [],
}
"""No node is behind it: a page that asks the chain something gets no answer."""
DURATIONS = (("days", 24 * 60), ("hours", 60), ("minutes", 1))


def project_settings(switches: Switches, social: list[dict[str, object]]) -> dict[str, object]:
    """The `ProjectSettings` of /settings: the parts a server reads, the lists without which Dynamic's SDK does not
    start, and what its React widget draws a sign-in by e-mail, wallet and the `social` providers from."""
    return {
        "environmentName": "sandbox",
        "general": {"displayName": "Dynamic emulator"},
        "chains": [{"name": "evm", "enabled": True, "networks": [NETWORK]}],
        "kyc": [],
        "providers": [{"provider": "dynamic", "enabledAt": ENABLED_AT}, *social],
        "networks": [{"chainName": "evm", "networks": [ETHEREUM]}],
        "sdk": {
            "emailSignIn": {"signInProvider": "dynamic"},
            "views": [{"type": "login", "sections": list(SECTIONS)}],
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
            "hCaptcha": {"enabled": switches.captcha_enabled, "siteKey": SITE_KEY},
        },
    }


def _duration(minutes: int) -> dict[str, object]:
    """In the largest unit that divides it."""
    unit, size = next((unit, size) for unit, size in DURATIONS if minutes % size == 0)
    return {"amount": minutes // size, "unit": unit}
