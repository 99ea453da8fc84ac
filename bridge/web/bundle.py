"""The built sign-in page: two files that a build of login-page/ left in a directory, read once."""

import gzip
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

MANIFEST = "manifest.json"
OFF = "off"  # in place of a directory: no page of ours, even if one was built
LARGEST = 8 * 1024 * 1024
_NAME = re.compile(r"[a-z]+-[A-Z0-9]{8}\.(?P<kind>js|css)")  # the hash changes with the content


class NotBuiltError(Exception):
    """The directory does not hold what a build leaves there."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The page's script and style by name, and each file's bytes, compressed."""

    script: str
    style: str
    files: Mapping[str, bytes] = field(repr=False)


def load_bundle(directory: Path) -> Bundle:
    """The bundle that was built into `directory`. Raises NotBuiltError."""
    try:
        manifest = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        script, style = manifest["script"], manifest["style"]
        return Bundle(script, style, {name: _file(directory, name) for name in (script, style)})
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise NotBuiltError(str(directory)) from error


def find_bundle(named: str | None, default: Path) -> Bundle | None:
    """The bundle in the directory that is `named` (checked before), else in `default`; None if it was never built, or
    is not wanted."""
    if named == OFF:
        return None
    try:
        return load_bundle(default if named is None else Path(named))
    except NotBuiltError:
        return None


def _file(directory: Path, name: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError("no name that a build makes")
    body = (directory / name).read_bytes()
    if not 0 < len(body) <= LARGEST:
        raise ValueError("no size that a build has")
    return gzip.compress(body, mtime=0)
