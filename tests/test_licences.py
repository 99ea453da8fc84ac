"""Everything that an installation consists of may be shipped, and used, by anybody."""

import re
from importlib.metadata import Distribution, distribution
from pathlib import Path

import pytest
from packaging.markers import Marker

LOCK = Path(__file__).parents[1] / "requirements" / "run.lock"

ALLOWED = {
    "MIT": "permissive: keep the notice",
    "MIT-0": "permissive, without any condition",
    "BSD-2-Clause": "permissive: keep the notice",
    "BSD-3-Clause": "permissive: keep the notice",
    "Apache-2.0": "our own; permissive, with a grant of patents",
    "ISC": "permissive: keep the notice",
    "PSF-2.0": "permissive: Python's own",
    "MPL-2.0": "copyleft by file: no file of it is changed here (certifi is a list of certificates)",
    "LGPL-3.0-only": "a library of its own, unmodified, that anybody can replace (psycopg; docs/decisions/0005)",
}
"""Each licence that may be among the run-time dependencies, and why it lets us ship."""

COPYLEFT = {"MPL-2.0": {"certifi"}, "LGPL-3.0-only": {"psycopg", "psycopg-binary"}}
"""Which package may have it: another one has to be thought about."""

CLASSIFIERS = {
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def locked() -> list[str]:
    """The packages of the lock that this platform installs."""
    found = re.findall(
        r"^([A-Za-z0-9._-]+)==[^\s;]+(?: *; *([^\\\n]+))?", LOCK.read_text(encoding="utf-8"), re.MULTILINE
    )
    return [name for name, marker in found if not marker or Marker(marker.strip()).evaluate()]


def licences_of(package: Distribution) -> set[str]:
    """What its metadata says, as SPDX names; of alternatives ("A OR B") each."""
    said = package.metadata
    expression = said.get("License-Expression")
    if expression is None:
        named = [CLASSIFIERS[c] for c in said.get_all("Classifier") or [] if c in CLASSIFIERS]
        expression = " AND ".join(named) or said.get("License") or "none"
    return {word for word in re.split(r" OR | AND |[()]", expression) if word.strip()}


@pytest.mark.parametrize("name", locked())
def test_the_licence_of_every_package_lets_us_ship(name: str) -> None:
    licences = licences_of(distribution(name))
    assert licences
    assert licences <= ALLOWED.keys()
    for licence in licences & COPYLEFT.keys():
        assert name in COPYLEFT[licence]


def test_the_lock_is_read_whole() -> None:
    assert len(locked()) >= 25
    assert {"flask", "cryptography", "psycopg-binary"} <= set(locked())
