"""What the README and the CI recipes tell people to type is there, parses, and is read by the daemon."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from typer.main import get_group

from broker.config.load import load
from broker.config.model import Layer
from broker.ctl.app import app_with
from broker.ctl.setup.completion import verbs_and_options
from broker.ctl.verbs import VERBS
from broker.daemon.built_in_providers import PROVIDERS
from broker.daemon.feed_table_builder import schema_of
from tests.source_nodes import nodes, together

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "feeds").glob("*.md")]
TEXTS = {str(path.relative_to(ROOT)): path.read_text() for path in PAGES}
RECIPES = sorted((ROOT / "docs" / "ci").glob("*.yml"))
OURS = re.compile(r"(?:[\w./~$\"{}]*/)?brokerctl\b([^`\n|;&)]*)")
"""A mention of the command, and the words after it on its line."""


def recipe(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - strings only
    return found


def scripts(node: object) -> list[str]:
    """Every shell text in a recipe: `run:`, `script:`."""
    if isinstance(node, list):
        return [script for each in node for script in scripts(each)]
    if not isinstance(node, dict):
        return []
    found = [script for each in node.values() for script in scripts(each)]
    for key in ("run", "script"):
        value = node.get(key)
        found += [value] if isinstance(value, str) else value if isinstance(value, list) else []
    return found


def mentions(text: str) -> list[list[str]]:
    """The words of each command of ours; prose that goes on after a name has none."""
    found = []
    for mention in OURS.finditer(text):
        words = shlex.split(mention[1].split(" -- ")[0].replace("'", ""))
        if words and re.fullmatch(r"[a-z]+|--version", words[0]):
            found.append(words)
    return found


@cache
def verbs() -> Mapping[str, Sequence[str]]:
    """The verbs of brokerctl, each with its options."""
    return verbs_and_options(get_group(app_with(VERBS)))


CODE = [
    code
    for text in TEXTS.values()
    for code in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`(brokerctl [^`]+)`", text)
]


@pytest.mark.parametrize("text", [*CODE, *(path.read_text() for path in RECIPES)])
def test_each_command_that_is_told_is_there_with_its_options(text: str) -> None:
    known = {**verbs(), "--version": []}

    for verb, *words in mentions(text):
        assert verb in known
        assert {word.partition("=")[0] for word in words if word.startswith("--")} <= {"--", *known[verb]}


def written(part: ast.expr) -> str:
    """The part of a text as it is written; X where the program puts something in."""
    return str(part.value) if isinstance(part, ast.Constant) else "X"


def told_in(path: Path) -> list[str]:
    """The texts in a source that are a command of ours, or say to run one."""
    texts = []
    for node in nodes(path):
        match node:
            case ast.Constant(value=str(text)):
                texts.append(text)
            case ast.JoinedStr(values=parts):
                texts.append("".join(map(written, parts)))
            case (
                ast.Tuple(elts=[ast.Constant(value="brokerctl"), *_] as words)
                | ast.List(elts=[ast.Constant(value="brokerctl"), *_] as words)
            ):
                texts.append(" ".join(map(written, words)))
    return [text for text in texts if re.match(r"(sudo )?brokerctl ", text) or "run: brokerctl" in text]


@together
def test_each_hint_is_a_command_that_is_there_with_its_options() -> None:
    known = {verb: {*options, "--help"} for verb, options in verbs().items()}
    sources = [*(ROOT / "broker").rglob("*.py"), *(ROOT / "client").glob("*.py")]

    told = [words for path in sources for text in told_in(path) for words in mentions(text)]

    assert told
    for verb, *words in told:
        assert verb in known
        assert {word for word in words if word.startswith("--")} <= known[verb]


BY_NAME = re.compile(
    r"\b(?:uv|uvx|pip|pip3|pipx)\b[^\n`|;&]*\s(?:install|inject|add|run|--from|--with)\b[^\n`|;&]*"
    r"\s[\"']?token[-_]broker(?:[-_]client)?(?:\[[\w,]+\])?(?:[=<>~!][^\s]*)?[\"']?(?=[\s`\"')]|$)"
)
"""A line that has a client install one of our packages by its name."""


def from_an_index(text: str) -> list[str]:
    """The lines that would take our package from an index, where a package of that name is not ours."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    found = [each[0] for line in lines for each in BY_NAME.finditer(line)]
    return [line for line in found if "--no-index" not in line]


def test_no_line_that_is_told_installs_us_from_an_index() -> None:
    told = [
        path
        for folder in ("docs", "man", "kubernetes", "launchd", "broker", "client")
        for path in (ROOT / folder).rglob("*")
    ]
    texts = [
        path
        for path in told
        if path.suffix in {".md", ".yml", ".yaml", ".py", ".c", ".txt", ".1", ".5", ".plist"}
    ]

    found = {
        str(path.relative_to(ROOT)): from_an_index(path.read_text()) for path in (*texts, *ROOT.glob("*.md"))
    }

    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "pip install token-broker",
        "uv tool install token-broker",
        'uv tool install "token-broker[google,aws]"',
        "pipx inject poetry token-broker-client",
        "~/.local/token-broker/bin/pip install --upgrade token_broker==1.0",
        "uv tool install poetry --with token-broker-client keyring",
        "uvx --from token-broker brokerctl demo",
        "run: `uv tool install token-broker`",
        "RUN pip install \\\n  token-broker-client && ln -s x y",
    ],
)
def test_a_line_that_installs_us_from_an_index_is_noticed(line: str) -> None:
    assert from_an_index(line)


@pytest.mark.parametrize(
    "text", [code for text in TEXTS.values() for code in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
)
def test_each_configuration_that_is_told_is_read(text: str) -> None:
    if "[[feed]]" not in text:
        assert "[[tool.uv.index]]" in text
        return

    config = load([Layer(text, "README.md")], schema_of(PROVIDERS))

    assert len(config.feeds) == text.count("[[feed]]")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\[[^]]*\]\(([^):#]+)\)", TEXTS["README.md"]))))
def test_each_file_that_is_linked_is_there(target: str) -> None:
    assert (ROOT / target).is_file()


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_shell_of_each_recipe_is_shell(path: Path) -> None:
    found = scripts(recipe(path))

    assert found
    for script in found:
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, capture_output=True)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_each_recipe_has_a_job_without_the_public_index(path: Path) -> None:
    told = recipe(path)
    jobs = told.get("jobs", told)
    names = [job["job"] for job in jobs] if isinstance(jobs, list) else list(jobs)

    assert [name for name in names if name.replace("-", "_") == "public_index_blocked"]


def test_github_recipe_lets_the_job_ask_for_its_token() -> None:
    told = recipe(ROOT / "docs/ci/github-actions.yml")

    assert told["permissions"] == {"id-token": "write", "contents": "read"}
    assert set(told["env"]) == {"AZURE_CLIENT_ID", "AZURE_TENANT_ID"}


def test_azure_recipe_maps_the_jobs_token_where_the_broker_starts_and_nowhere_else() -> None:
    steps = [step for job in recipe(ROOT / "docs/ci/azure-pipelines.yml")["jobs"] for step in job["steps"]]

    mapped = {step["script"] for step in steps if "SYSTEM_ACCESSTOKEN" in step.get("env", {})}
    assert mapped == {step["script"] for step in steps if "brokerctl exec" in step["script"]}


def test_no_recipe_has_a_secret_in_it() -> None:
    for path in RECIPES:
        assert not re.search(r"(password|token|secret)\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{20,}", path.read_text())
