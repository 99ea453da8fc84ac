"""The documents tell the truth about names: settings, endpoints, modules."""

import re
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path

import pytest
from conftest import Bridge

from bridge.config.sources import _Settings
from bridge.model import ClaimRule, Client, Environment
from bridge.tokens.claims import SCOPE_CLAIMS

TOP = Path(__file__).parents[1]


def setting_names() -> Iterator[str]:
    for setting in _Settings.model_fields.values():
        yield from (str(name) for name in setting.validation_alias.choices)  # type: ignore[union-attr]


def test_every_setting_is_documented(repository: Callable[[str], str]) -> None:
    documented = repository("docs/configuration.md")
    for name in setting_names():
        assert f"`{name}`" in documented or f"[[{name}]]" in documented, name


@pytest.mark.parametrize("kind", [Client, Environment, ClaimRule])
def test_every_setting_of_a_table_is_documented(repository: Callable[[str], str], kind: type) -> None:
    documented = repository("docs/configuration.md")
    for field in fields(kind):
        name = "secret_sha256" if field.name == "secrets" else field.name
        assert re.search(rf"\b{name}\b", documented), name


def test_every_scope_and_its_claims_are_documented(repository: Callable[[str], str]) -> None:
    documented = repository("docs/claims.md")
    for scope in SCOPE_CLAIMS:
        assert f"`{scope}`" in documented


def test_the_readmes_endpoints_are_those_that_answer(repository: Callable[[str], str], bridge: Bridge) -> None:
    table = repository("README.md").split("## Endpoints")[1].split("## ")[0]
    documented = set(re.findall(r"`(/[^`]*)`", table))
    app = bridge.http.application
    routes = ({rule.rule for rule in app.url_map.iter_rules()} | app.wsgi_app.routes.paths) - {"/"}
    assert documented == routes


def test_every_module_that_a_document_names_exists(repository: Callable[[str], str]) -> None:
    table = repository("README.md").split("## Specifications")[1]
    for module in re.findall(r"`([a-z_/]+\.py)`", table):
        assert (TOP / "bridge" / module).is_file(), module
    tree = repository("docs/architecture.md").split("## The tree")[1].split("## Floors")[0]
    for line in re.findall(r"^      ([a-z]+(?:/|\.py)) ", tree, re.MULTILINE):
        assert (TOP / "bridge" / line).exists(), line


def test_every_threat_that_the_code_names_is_described(repository: Callable[[str], str]) -> None:
    described = set(re.findall(r"^\| ([AO]\d+) \|", repository("docs/threats.md"), re.MULTILINE))
    for source in [*TOP.glob("bridge/**/*.py"), *TOP.glob("tests/**/*.py"), *TOP.glob("docs/**/*.md")]:
        named = set(re.findall(r"\b[AO][1-9]\d?\b", source.read_text(encoding="utf-8")))
        assert named <= described, source


def test_every_link_in_the_documents_leads_somewhere() -> None:
    for document in [*TOP.glob("*.md"), *TOP.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_the_sign_in_page_in_the_documents_is_the_one_that_is_tested(repository: Callable[[str], str]) -> None:
    example = repository("examples/nextauth/app/signin/sign-in-with-dynamic.tsx")
    hand_back = example[example.index("function HandBack") :].rstrip()
    assert hand_back in repository("docs/own-sign-in-page.md")


def test_every_module_of_the_rooms_stands_in_the_picture(repository: Callable[[str], str]) -> None:
    picture = repository("docs/architecture.md") + repository("bridge/oauth/__init__.py")
    for room in ("store", "lifecycle", "oauth"):
        for module in (TOP / "bridge" / room).glob("[a-z]*.py"):
            assert re.search(rf"\b{module.stem}\b", picture), module
