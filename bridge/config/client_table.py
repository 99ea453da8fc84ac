"""A client as bridge.toml writes it."""

from collections.abc import Mapping
from typing import Any

from bridge.model import GRANT_TYPES, Secret


def client_table(table: Mapping[str, Any]) -> dict[str, Any]:
    """Its settings by our names. In the file, grants have short names, and secrets are digests (`secret_sha256`)."""
    entry = dict(table)
    grants = entry.get("grants")
    if isinstance(grants, list):
        entry["grants"] = [GRANT_TYPES.get(name, name) if isinstance(name, str) else name for name in grants]
    digests = entry.pop("secret_sha256", [])
    if isinstance(digests, list) and all(isinstance(digest, str) for digest in digests):
        entry["secrets"] = tuple(Secret(digest.lower()) for digest in digests)
    else:
        entry["secret_sha256"] = digests  # refused below as a setting of the wrong form
    return entry
