"""The reference pages say what the code has: made anew they are the same, and nothing stands on no page."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from shutil import which

import pytest
from fastapi import APIRouter
from pydantic import create_model
from typer.main import get_group

import broker.api.routes_status
from broker.config.load import load
from broker.config.model import Layer
from broker.ctl.app import app_with
from broker.ctl.command_error import ExitCode
from broker.ctl.setup import all_users, machine_setup, system_broker
from broker.ctl.setup.completion import verbs_and_options
from broker.ctl.verbs import VERBS
from broker.daemon.built_in_providers import PROVIDERS
from broker.daemon.feed_table_builder import schema_of
from broker.daemon.main import argument_parser
from broker.providers.basic import BasicProvider
from tests.conftest import ROOT
from tests.source_nodes import nodes, together
from tools.reference import commands, configuration, environment, exit_codes, http_api, man, pages
from tools.reference.key_texts import FEED, NEEDED_BESIDE, PROVIDER, TOP

CONSTANT = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+_?|TOKEN_BROKER_")
SOURCES = [*(ROOT / "broker").rglob("*.py"), *(ROOT / "client").glob("*.py")]
HIDDEN = {"--life", "--takes", "--gateway-strict"}
"""Tests make `demo` shorter by two of them; the third is how typer hears of `--gateway=strict`."""

MAKE = "python -m tools.reference"


def page(name: str) -> str:
    return (ROOT / "docs" / "reference" / f"{name}.md").read_text()


@cache
def named_in_sources() -> set[str]:
    """Each text in a source that is written as a variable's name is."""
    return {
        node.value
        for path in SOURCES
        for node in nodes(path)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and CONSTANT.fullmatch(node.value)
    } | set(re.findall(r'getenv\("(\w+_\w+)"\)', (ROOT / "client" / "keyring_shim.c").read_text()))


MADE = pages.pages()


@pytest.mark.parametrize("path", MADE)
def test_each_generated_page_is_what_the_code_makes_of_it(path: str) -> None:
    assert (ROOT / path).read_text() == MADE[path], f"type {MAKE}"


def test_no_page_is_left_of_a_generator_that_is_gone() -> None:
    made = {ROOT / path for path in MADE}

    assert {*(ROOT / "docs" / "reference").glob("*.md"), *(ROOT / "man").iterdir()} == made


def test_each_key_has_a_text_and_each_text_has_a_key() -> None:
    for heading, (model, texts) in configuration.models().items():
        assert set(texts) == set(model.model_fields), heading
    assert set(PROVIDER) == {provider.name for provider in PROVIDERS}


def test_a_new_key_without_a_text_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = create_model("Grown", __base__=BasicProvider.settings, brand_new=(str, "x"))
    monkeypatch.setattr(BasicProvider, "settings", grown)

    with pytest.raises(KeyError, match="brand_new"):
        pages.pages()


def test_a_new_option_changes_the_page_and_the_manual(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = argument_parser()
    parser.add_argument("--brand-new", help="new")
    monkeypatch.setattr("tools.reference.commands.argument_parser", lambda: parser)

    assert commands.markdown_page() != page("command-line")
    assert man.brokerd() != (ROOT / "man" / "brokerd.1").read_text()


def test_a_new_route_changes_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = APIRouter()
    grown.include_router(broker.api.routes_status.router)
    grown.add_api_route("/v1/brand-new", lambda: None)
    monkeypatch.setattr(broker.api.routes_status, "router", grown)

    assert "/v1/brand-new" in http_api.api_page()
    assert http_api.api_page() != page("http-api")


def example(provider: str, key: str, text: str) -> str:
    beside = NEEDED_BESIDE.get((provider, key), {})
    required = {
        name: PROVIDER[provider][name].example
        for name, field in next(p for p in PROVIDERS if p.name == provider).settings.model_fields.items()
        if field.is_required() and name != key
    }
    also = [f'{name} = "{value}"' for name, value in beside.items() if name not in required]
    if provider == "artifactory" and key not in {"secret", "jf", "aws", "oidc"} and not also:
        also = ['secret = "env:TOKEN"']
    lines = [
        'url = "https://feed.example.com/simple/"',
        f'provider = "{provider}"',
        text,
        *required.values(),
        *also,
    ]
    return "[[feed]]\n" + "\n".join(lines) + "\n"


EXAMPLES = [
    *(pytest.param(text.example, id=f"file-{key}") for key, text in TOP.items() if text.example),
    *(
        pytest.param(
            "[[feed]]\n"
            + "\n".join(
                {
                    "url": FEED["url"].example,
                    "provider": 'provider = "nexus"',
                    "secret": 'secret = "netrc"',
                    key: text.example,
                }.values()
            ),
            id=f"feed-{key}",
        )
        for key, text in FEED.items()
    ),
    *(
        pytest.param(example(provider, key, text.example), id=f"{provider}-{key}")
        for provider, texts in PROVIDER.items()
        for key, text in texts.items()
    ),
]


@pytest.mark.parametrize("text", EXAMPLES)
def test_each_example_of_a_key_is_read(text: str) -> None:
    load([Layer(text, "example")], schema_of(PROVIDERS))


KINDS = {
    str: ("string", "duration", "where a secret is", '`"'),
    bool: ("true",),
    list: ("list",),
    dict: ("table",),
}
KEYS = [key for table in configuration.key_tables() for key in table.keys]


@pytest.mark.parametrize("key", [key for key in KEYS if key.text.example], ids=lambda key: key.text.example)
def test_each_example_of_a_key_is_of_the_type_that_is_told(key: configuration.Key) -> None:
    value = tomllib.loads(key.text.example)[key.name]

    assert any(told.startswith(KINDS[type(value)]) for told in key.type.split(" or "))


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key.name}-{key.default}")
def test_each_default_that_is_told_can_be_written(key: configuration.Key) -> None:
    if key.default.startswith("`"):
        tomllib.loads(f"{key.name} = {key.default.strip('`')}")


def test_a_key_of_each_feed_that_is_made_from_the_url_is_required_on_no_page() -> None:
    (feed,) = (table for table in configuration.key_tables() if table.heading == "Every `[[feed]]`")

    told = {key.name: key.default for key in feed.keys}
    assert told["name"] == told["provider"] == "from the URL"
    assert man.toml().count("default: from the URL") == 2


def test_each_verb_and_option_of_brokerctl_stands_on_its_page_and_in_the_manual() -> None:
    manual = (ROOT / "man" / "brokerctl.1").read_text().replace("\\-", "-")
    for text in (page("command-line"), manual):
        for verb, options in verbs_and_options(get_group(app_with(VERBS))).items():
            assert f"brokerctl {verb}" in text
            assert [option for option in options if option not in text and option not in HIDDEN] == [], verb


@together
def test_each_variable_of_the_sources_stands_on_the_page() -> None:
    known = set(environment.VARIABLES) | environment.NO_VARIABLE

    assert named_in_sources() - known == set()
    # names that only the build reads, and parts of names, are in no such text
    assert {name for name in known - named_in_sources() if not name.endswith("_")} <= {
        "TOKEN_BROKER_PURE",
        "TOKEN_BROKER_PLATFORM",
    }


HANDWRITTEN = [
    *ROOT.glob("*.md"),
    ROOT / "client" / "README.md",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs" / "feeds").glob("*.md"),
    *(ROOT / "docs" / "ci").glob("*.yml"),
    *(ROOT / "kubernetes").glob("*.yaml"),
]
NAMES = re.compile(
    r"(?P<variable>\bTOKEN_BROKER_[A-Z_]+\b)|(?P<route>/v1/[a-z{}/_-]+)|(?P<metric>\btoken_broker_[a-z_]+_(?:total|seconds)\b)"
)


def gone_from(text: str) -> set[str]:
    """The variables, routes and metrics that a text names and no page of the reference has."""
    has = {
        "variable": set(environment.VARIABLES),
        "route": set(re.findall(r"/v1/[a-z{}/_-]+", page("http-api"))),
        "metric": {metric.name for metric in http_api.metrics()},
    }
    return {found[0] for found in NAMES.finditer(text) if found[0] not in has[str(found.lastgroup)]}


def test_no_page_names_a_variable_a_route_or_a_metric_that_is_gone() -> None:
    found = {path.name: gone_from(path.read_text()) for path in HANDWRITTEN if path.name != "CHANGELOG.md"}

    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize("name", ["TOKEN_BROKER_GONE", "/v1/gone", "token_broker_gone_total"])
def test_a_name_that_is_gone_is_noticed(name: str) -> None:
    assert gone_from(f"see `{name}`.") == {name}


def test_each_place_of_a_set_up_of_the_machine_stands_on_the_page_of_files() -> None:
    places = {
        text
        for module in (machine_setup, all_users, system_broker)
        for name, text in vars(module).items()
        if name.isupper() and isinstance(text, str) and re.fullmatch(r"/[\w./-]+", text)
    }

    assert {machine_setup.LINK, all_users.UNITS, system_broker.UNITS} < places
    assert [place for place in places if f"`{place}`" not in page("files")] == []


def test_each_exit_code_has_a_meaning() -> None:
    assert set(exit_codes.MEANINGS) == set(ExitCode)


@pytest.mark.parametrize("name", [metric.name for metric in http_api.metrics()])
def test_each_metric_stands_on_the_page(name: str) -> None:
    assert f"`{name}`" in page("metrics")


@pytest.mark.skipif(which("groff") is None, reason="no groff here")
@pytest.mark.parametrize("path", sorted((ROOT / "man").iterdir()), ids=lambda path: path.name)
def test_each_manual_is_roff_without_a_warning(path: Path) -> None:
    shown = subprocess.run(
        ["groff", "-man", "-Tutf8", "-ww", path], capture_output=True, text=True, check=True
    )

    assert shown.stderr == ""
    assert path.name.split(".")[0] in shown.stdout


def test_wheel_carries_the_manuals() -> None:
    project = (ROOT / "pyproject.toml").read_text()

    for path in (ROOT / "man").iterdir():
        assert f'"man/{path.name}" = "share/man/man{path.suffix[1:]}/{path.name}"' in project
