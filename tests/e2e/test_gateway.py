"""`brokerctl exec --gateway` with real clients that have no keyring setting, no user name and no token."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.e2e.behind_gateway import (
    Behind,
    Files,
    behind_gateway,
    cargo_registry,
    git_repository,
    npm_registry,
)
from tests.e2e.household import AZURE_FEED, AZURE_UPLOAD, PACKAGE, PLAIN_FEED, feed
from tests.fakes.clients import PYTHON, UV
from tests.fakes.index import PackageIndex
from tests.fakes.wheels import wheel
from tests.pages import told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.toolbox import Toolbox

pytestmark = pytest.mark.e2e

SCRIPTS = Path(sysconfig.get_path("scripts"))
TWINE = SCRIPTS / "twine"
UV_INDEX = f'[[tool.uv.index]]\nname = "corp"\nurl = "{AZURE_FEED}"\ndefault = true\n'
NPM, CRATES, CODE = "npm.example", "crates.example", "code.example"
TWO, SIDES = "two.example", {"left": "TBKTEST-left-01234567", "right": "TBKTEST-right-0123456"}
SECRET = "TBKTEST-of-files-0123456789"


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    """The user's broker runs; feeds for npm, cargo and git are beside those of Python."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "files").touch(mode=0o600)
    (folder / "files").write_text(SECRET)
    settings = f'provider = "basic"\nusername = "ci"\nsecret = "file:{folder}/files"'
    feeds = [feed(host.partition(".")[0], f"https://{host}/", settings) for host in (NPM, CRATES, CODE)]
    for name, password in SIDES.items():
        (folder / name).touch(mode=0o600)
        (folder / name).write_text(password)
        secret = f'provider = "basic"\nusername = "ci"\nsecret = "file:{folder}/{name}"'
        feeds.append(feed(name, f"https://{TWO}/{name}/", secret))
    with behind_gateway(*feeds) as made:
        yield made


@pytest.fixture(autouse=True)
def nothing_stays(behind: Behind) -> Iterator[None]:
    yield
    assert [each.name for each in (behind.house.folder / "run").iterdir()] == ["token-broker"]
    assert [each.credential for each in behind.house.acme.visits if each.credential == "refused"] == []


def test_uv_locks_and_syncs_files_off_the_root(behind: Behind, tmp_path: Path) -> None:
    behind.house.project(tmp_path, UV_INDEX)

    behind.succeed(UV, "lock", cwd=tmp_path)
    behind.succeed(UV, "sync", "--frozen", "--no-cache", cwd=tmp_path)

    assert f'registry = "{AZURE_FEED}"' in (tmp_path / "uv.lock").read_text()
    assert list((tmp_path / ".venv").rglob("demo_package.py"))


def test_two_feeds_of_one_host_get_each_its_own_token(behind: Behind, tmp_path: Path) -> None:
    sides = {
        name: PackageIndex([wheel(f"{name}-package", "1.0")], passwords=[password], root=f"/{name}/")
        for name, password in SIDES.items()
    }
    behind.house.proxy.route(TWO, lambda request: sides[request.path.split("/")[1]](request))
    indexes = "".join(
        f'[[tool.uv.index]]\nname = "{name}"\nurl = "https://{TWO}/{name}/"\nexplicit = true\n'
        for name in sides
    )
    sources = "".join(f'{name}-package = {{ index = "{name}" }}\n' for name in sides)
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\n'
        f'dependencies = ["left-package", "right-package"]\n[tool.uv.sources]\n{sources}{indexes}'
    )

    behind.succeed(UV, "sync", "--no-cache", cwd=tmp_path)

    assert {opens for each in sides.values() for _, opens in each.requests} == {True}
    for name in sides:
        assert list((tmp_path / ".venv").rglob(f"{name}_package.py"))


def test_user_name_in_an_index_does_no_harm(behind: Behind, tmp_path: Path) -> None:
    behind.house.project(tmp_path, UV_INDEX.replace("https://", "https://VssSessionToken@"))

    behind.succeed(UV, "sync", "--no-cache", cwd=tmp_path)

    assert list((tmp_path / ".venv").rglob("demo_package.py"))


def test_strict_gateway_lets_feeds_through_and_tells_the_others(behind: Behind, tmp_path: Path) -> None:
    script = f"curl -fsS {PLAIN_FEED} >/dev/null && ! curl -sS https://other.example/ 2>/dev/null"

    done = behind.run("sh", "-c", script, cwd=tmp_path, options=("--gateway=strict", "--allow", "x.example"))

    assert done.exit_code == 0, done.text
    assert done.stderr == "token-broker: refused other.example:443, once\n"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="needs Debian's bubblewrap")
def test_agent_in_the_pages_sandbox_has_the_feeds_and_no_broker(behind: Behind, tmp_path: Path) -> None:
    socket = behind.house.socket
    gets = f"env -u CURL_CA_BUNDLE curl -fsS {PLAIN_FEED} >got"
    agent = f"{gets} && test ! -e {socket} && ! keyring get {PLAIN_FEED} ci"
    (tmp_path / "agent").write_text(f"#!/bin/sh\n{agent}\n")
    (tmp_path / "agent").chmod(0o755)
    path = f"{tmp_path}:{SCRIPTS}:{behind.environment['PATH']}"

    done = behind.plain("bash", "-c", told("gateway", "Recipes", 3), cwd=tmp_path, PATH=path)

    assert socket.exists()
    assert done.exit_code == 0, done.text
    assert "demo-package" in (tmp_path / "got").read_text()


def test_reason_is_told_after_a_command_that_failed(behind: Behind, tmp_path: Path) -> None:
    done = behind.run("curl", "-fsS", "-X", "POST", PLAIN_FEED, cwd=tmp_path)

    assert done.exit_code != 0
    assert "token-broker: plain: its credential is for reading, and this was a POST" in done.stderr


@pytest.mark.long
def test_uv_runs_scripts_and_tools(behind: Behind, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        f'# /// script\n# dependencies = ["{PACKAGE.name}"]\n# [[tool.uv.index]]\n# url = "{AZURE_FEED}"\n'
        "# default = true\n# ///\nimport demo_package\nprint('ran')\n"
    )

    ran = behind.succeed(UV, "run", "--no-cache", "--script", script, cwd=tmp_path)
    behind.succeed(
        *(UV, "tool", "run", "--no-cache", "--default-index", AZURE_FEED, "--from", PACKAGE.name),
        *("python", "-c", "import demo_package"),
        cwd=tmp_path,
    )

    assert "ran" in ran.stdout


@pytest.mark.long
@pytest.mark.parametrize("client", ["uv", "twine"])
def test_publishing_to_an_upload_address(behind: Behind, tmp_path: Path, client: str) -> None:
    made = wheel(f"new-by-{client}", "1.0")
    file = tmp_path / "dist" / made.filename
    file.parent.mkdir()
    file.write_bytes(made.content)
    command: dict[str, list[str | Path]] = {
        "uv": [UV, "publish", "--publish-url", AZURE_UPLOAD, "-u", "x", "-p", "", file],
        "twine": [TWINE, "upload", "--repository-url", AZURE_UPLOAD, "-u", "x", "-p", "", file],
    }

    behind.succeed(*command[client], cwd=tmp_path)

    assert made.filename in {each.filename for each in behind.house.acme.feeds[0].wheels}


@pytest.mark.long
@pytest.mark.parametrize("age", ["new", "old"])
def test_pip_installs(behind: Behind, tmp_path: Path, age: str, request: pytest.FixtureRequest) -> None:
    python = PYTHON if age == "new" else request.getfixturevalue("old_python")

    behind.succeed(
        *(python, "-m", "pip", "--no-input", "install", "--no-cache-dir", "--target", tmp_path / "in"),
        *("--index-url", AZURE_FEED, PACKAGE.name),
        cwd=tmp_path,
    )

    assert (tmp_path / "in" / "demo_package.py").exists()


@pytest.mark.long
def test_poetry_locks_and_installs(behind: Behind, tmp_path: Path, toolbox: Toolbox) -> None:
    project(tmp_path, f'[[tool.poetry.source]]\nname = "corp"\nurl = "{AZURE_FEED}"\npriority = "primary"\n')
    (tmp_path / "pyproject.toml").write_text(
        (tmp_path / "pyproject.toml").read_text() + "\n[tool.poetry]\npackage-mode = false\n"
    )
    poetry = toolbox.program("poetry", library=False)

    for words in (["lock"], ["install"]):
        behind.succeed(poetry, *words, "-n", cwd=tmp_path, POETRY_VIRTUALENVS_IN_PROJECT="true")

    assert list((tmp_path / ".venv").rglob("demo_package.py"))


@pytest.mark.long
def test_pdm_locks_and_syncs(behind: Behind, tmp_path: Path, toolbox: Toolbox) -> None:
    source = f'[[tool.pdm.source]]\nname = "pypi"\nurl = "{AZURE_FEED}"\n'
    project(tmp_path, f"{source}\n[tool.pdm]\ndistribution = false\n")
    pdm = toolbox.program("pdm", library=False)

    behind.succeed(pdm, "lock", cwd=tmp_path)
    behind.succeed(pdm, "sync", cwd=tmp_path)

    assert list((tmp_path / ".venv").rglob("demo_package.py"))


@pytest.mark.long
def test_hatch_makes_its_environment(behind: Behind, tmp_path: Path, toolbox: Toolbox) -> None:
    project(tmp_path, "[tool.hatch.envs.default]\nskip-install = true\ndependencies = ['demo-package']\n")

    done = behind.succeed(
        toolbox.program("hatch", library=False),
        *("run", "python", "-c", "import demo_package; print('ran')"),
        cwd=tmp_path,
        PIP_INDEX_URL=AZURE_FEED,
        HATCH_DATA_DIR=str(tmp_path / "data"),
    )

    assert "ran" in done.stdout


@pytest.mark.long
def test_pipenv_installs(behind: Behind, tmp_path: Path, toolbox: Toolbox) -> None:
    source = f'[[source]]\nname = "corp"\nurl = "{AZURE_FEED}"\nverify_ssl = true\n\n'
    (tmp_path / "Pipfile").write_text(f'{source}[packages]\n{PACKAGE.name} = "*"\n')

    behind.succeed(
        toolbox.program("pipenv", library=False),
        *("install", "--python", PYTHON),
        cwd=tmp_path,
        PIPENV_VENV_IN_PROJECT="1",
        PIPENV_IGNORE_VIRTUALENVS="1",
    )

    assert list((tmp_path / ".venv").rglob("demo_package.py"))


@pytest.mark.long
def test_tox_installs_into_its_environment(behind: Behind, tmp_path: Path, toolbox: Toolbox) -> None:
    (tmp_path / "tox.ini").write_text(
        f"[tox]\nskipsdist = true\n[testenv]\ndeps = {PACKAGE.name}\n"
        "commands = python -c 'import demo_package'\n"
    )

    behind.succeed(toolbox.program("tox", library=False), cwd=tmp_path, PIP_INDEX_URL=AZURE_FEED)

    assert list((tmp_path / ".tox").rglob("demo_package.py"))


def npm_project(behind: Behind, folder: Path) -> Files:
    """A project that needs a package of the registry, which is returned."""
    registry = npm_registry(NPM, SECRET)
    behind.house.proxy.route(NPM, registry)
    (folder / "package.json").write_text(json.dumps({"name": "x", "dependencies": {"demo-node": "1.0.0"}}))
    (folder / ".npmrc").write_text(
        f"registry=https://{NPM}/\nfund=false\naudit=false\nupdate-notifier=false\n"
    )
    return registry


def cargo_project(behind: Behind, folder: Path) -> tuple[Files, dict[str, str]]:
    """The same for cargo, and the variables that cargo needs."""
    registry = cargo_registry(CRATES, SECRET)
    behind.house.proxy.route(CRATES, registry)
    (folder / "src").mkdir()
    (folder / "src" / "lib.rs").touch()
    (folder / "Cargo.toml").write_text(
        '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n'
        '[dependencies]\ndemo-crate = { version = "0.1.0", registry = "corp" }\n'
    )
    (folder / ".cargo").mkdir()
    (folder / ".cargo" / "config.toml").write_text(
        f'[registries.corp]\nindex = "sparse+https://{CRATES}/index/"\n'
    )
    cargo = Path(shutil.which("cargo") or "/none/bin/cargo")
    rustup = os.environ.get("RUSTUP_HOME") or str(cargo.parents[1].with_name(".rustup"))
    return registry, {
        "PATH": f"{cargo.parent}:{SCRIPTS}:/usr/bin:/bin",
        "CARGO_HOME": str(folder / "cargo-home"),
        "RUSTUP_HOME": rustup,
    }


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not here")
def test_npm_installs_and_ci_from_its_lock(behind: Behind, tmp_path: Path) -> None:
    registry = npm_project(behind, tmp_path)

    behind.succeed("npm", "install", cwd=tmp_path)
    shutil.rmtree(tmp_path / "node_modules")
    behind.succeed("npm", "ci", "--cache", tmp_path / "another-cache", cwd=tmp_path)

    assert (tmp_path / "node_modules" / "demo-node" / "index.js").exists()
    assert NPM in (tmp_path / "package-lock.json").read_text()
    assert all(opens for _, opens in registry.requests)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not here")
def test_cargo_fetches(behind: Behind, tmp_path: Path) -> None:
    registry, variables = cargo_project(behind, tmp_path)

    behind.succeed("cargo", "fetch", cwd=tmp_path, **variables)

    assert (tmp_path / "Cargo.lock").exists()
    assert ("/dl/demo-crate/0.1.0/download", True) in registry.requests.entries


@pytest.mark.long
def test_git_clones(behind: Behind, tmp_path: Path) -> None:
    git_served(behind, tmp_path)

    behind.succeed("git", "clone", "-q", f"https://{CODE}/demo.git", tmp_path / "clone", cwd=tmp_path)

    assert (tmp_path / "clone" / ".git").is_dir()


def git_served(behind: Behind, folder: Path) -> None:
    """A repository."""
    (folder / "served").mkdir()
    behind.house.proxy.route(CODE, git_repository(folder / "served", SECRET))


KEYLESS = {
    "curl": ["curl", "-fsS", PLAIN_FEED],
    "git": ["git", "clone", "-q", f"https://{CODE}/demo.git"],
    "npm": ["npm", "install"],
    "npm with an option": ["npm", "install", f"--registry=https://{NPM}/"],
    "cargo": ["cargo", "fetch"],
}


@pytest.mark.parametrize(
    "name", [name if name == "curl" else pytest.param(name, marks=pytest.mark.long) for name in KEYLESS]
)
def test_why_names_the_gateway_to_a_client_that_asks_no_keyring(
    behind: Behind, tmp_path: Path, name: str
) -> None:
    command = KEYLESS[name]
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not here")
    authority = behind.environment["SSL_CERT_FILE"]
    trusts = ("CURL_CA_BUNDLE", "GIT_SSL_CAINFO", "npm_config_cafile", "CARGO_HTTP_CAINFO")
    more = {**dict.fromkeys(trusts, authority), "GIT_TERMINAL_PROMPT": "0"}
    more["PATH"] = f"{behind.environment['PATH']}:{SCRIPTS}"
    if command[0] == "npm":
        npm_project(behind, tmp_path)
    elif command[0] == "git":
        git_served(behind, tmp_path)
    elif command[0] == "cargo":
        more |= cargo_project(behind, tmp_path)[1]

    told = behind.plain("brokerctl", "why", "--json", "--", *command, cwd=tmp_path, **more)
    [found] = json.loads(told.stderr.splitlines()[-1])["findings"]
    done = behind.plain("sh", "-c", found["repair"], cwd=tmp_path, **more)

    assert told.exit_code != 0
    assert found["check"] == "no-keyring"
    assert found["repair"] == f"brokerctl exec --gateway -- {shlex.join(command)}"
    assert done.exit_code == 0, done.text


def test_why_does_not_name_the_gateway_to_a_client_that_brings_a_password(
    behind: Behind, tmp_path: Path
) -> None:
    command = ["curl", "-fsS", "-u", "ci:old", PLAIN_FEED]

    told = behind.plain(SCRIPTS / "brokerctl", "why", "--", *command, cwd=tmp_path)
    done = behind.run(*command, cwd=tmp_path)

    assert "--gateway" not in told.stderr
    assert done.exit_code != 0


def project(folder: Path, tables: str) -> None:
    """A project that needs PACKAGE."""
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "household"\nversion = "3.0"\nrequires-python = ">=3.11,<4"\n'
        f'dependencies = ["{PACKAGE.name}"]\n\n{tables}\n'
    )
