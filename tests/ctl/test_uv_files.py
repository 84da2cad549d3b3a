"""Which of the files that could tell uv something do: each row was run with uv 0.13.9."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from broker.ctl.clients.all_indexes import all_indexes, looked_at
from broker.ctl.clients.uv import uv_keyring_provider
from broker.ctl.setup.user_dirs import UserDirs

if TYPE_CHECKING:
    from pathlib import Path

ON, OFF = 'keyring-provider = "subprocess"\n', 'keyring-provider = "disabled"\n'
PROJECT = '[project]\nname = "demo"\nversion = "1"\n'
TOOL = f"{PROJECT}[tool.uv]\n"
TOP = PROJECT.replace("demo", "top")
ROOT = f'{TOP}[tool.uv.workspace]\nmembers = ["./packages/*"]\nexclude = ["packages/other"]\n'

URL = "https://packages.example.com/{}/simple/"


def there(tmp_path: Path, files: dict[str, str], **environ: str) -> UserDirs:
    """A user with these files, below the folder of whose project, `root`, the others lie."""
    for place, text in {**files, "root/empty": ""}.items():
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    if "UV_CONFIG_FILE" in environ:
        environ["UV_CONFIG_FILE"] = str(tmp_path / environ["UV_CONFIG_FILE"])
    return UserDirs(tmp_path / "home", {"XDG_CONFIG_DIRS": str(tmp_path / "site"), **environ})


@pytest.mark.parametrize(
    ("files", "environ", "named"),
    [
        ({"root/pyproject.toml": TOOL + ON}, {}, "subprocess"),
        ({"root/pyproject.toml": TOOL + ON}, {"UV_NO_CONFIG": "0"}, "subprocess"),
        ({"root/pyproject.toml": TOOL + ON}, {"UV_NO_CONFIG": "True"}, None),
        ({"home/.config/uv/uv.toml": ON}, {"UV_NO_CONFIG": "1"}, None),
        ({"root/pyproject.toml": TOOL + ON, "chosen": ""}, {"UV_CONFIG_FILE": "chosen"}, None),
        ({"chosen": ON}, {"UV_CONFIG_FILE": "chosen", "UV_NO_CONFIG": "1"}, "subprocess"),
        ({"root/pyproject.toml": TOOL + ON, "root/uv.toml": "offline = false"}, {}, None),
        ({"root/uv.toml": ON, "root/pyproject.toml": TOOL + OFF}, {}, "subprocess"),
        ({"root/uv.toml": ON, "root/pyproject.toml": PROJECT}, {}, "subprocess"),
        ({"uv.toml": ON, "root/pyproject.toml": PROJECT}, {}, "subprocess"),
        ({"uv.toml": ON, "root/pyproject.toml": TOOL}, {}, None),
        ({"root/uv.toml": ON, "pyproject.toml": TOP}, {}, None),
        ({"root/uv.toml": ON, "pyproject.toml": ""}, {}, "subprocess"),
        ({"uv.toml": ON, "root/pyproject.toml": "not TOML"}, {}, "subprocess"),
        ({"home/.config/uv/uv.toml": ON, "root/pyproject.toml": TOOL}, {}, "subprocess"),
        ({"home/.config/uv/uv.toml": ON, "root/pyproject.toml": TOOL + OFF}, {}, "disabled"),
        ({"site/uv/uv.toml": ON, "home/.config/uv/uv.toml": ""}, {}, "subprocess"),
    ],
)
def test_only_what_is_in_force_names_uvs_keyring_provider(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str], named: str | None
) -> None:
    user_dirs = there(tmp_path, files, **environ)

    found = uv_keyring_provider(tmp_path / "root", user_dirs)

    assert (found and found.name) == named


@pytest.mark.parametrize(
    ("member", "root", "named"),
    [
        ("root/packages/demo", ROOT, None),
        ("root/packages/demo", ROOT + f"[tool.uv]\n{OFF}", "disabled"),
        ("root/packages/other", ROOT, "subprocess"),
        ("root/elsewhere", ROOT, "subprocess"),
        ("root/packages/demo", TOP, "subprocess"),
        ("root/packages/demo/deeper", ROOT, "subprocess"),
    ],
)
def test_settings_of_a_workspaces_member_are_its_roots(
    tmp_path: Path, member: str, root: str, named: str | None
) -> None:
    files = {f"{member}/pyproject.toml": TOOL + ON, "root/pyproject.toml": root}
    user_dirs = there(tmp_path, files)

    found = uv_keyring_provider(tmp_path / member, user_dirs)

    assert (found and found.name) == named


@pytest.mark.parametrize("environ", [{"UV_CONFIG_FILE": "chosen"}, {"UV_NO_CONFIG": "1"}, {}])
def test_named_index_of_a_project_is_uvs_whatever_its_settings_file(
    tmp_path: Path, environ: dict[str, str]
) -> None:
    index = f'[[tool.uv.index]]\nname = "corp"\nurl = "{URL.format("corp")}"\n'
    unnamed = f'[[tool.uv.index]]\nurl = "{URL.format("unnamed")}"\n'
    pyproject = PROJECT + index + unnamed + '[tool.uv.sources]\ndemo = { index = "corp" }\n'
    user_dirs = there(
        tmp_path,
        {
            "root/pyproject.toml": pyproject,
            "root/uv.toml": "",
            "chosen": "",
            "uv.toml": f'index-url = "{URL}"',
        },
        **environ,
    )

    found = [each.url for each in all_indexes(tmp_path / "root", user_dirs) if each.client == "uv"]

    assert found == [URL.format("corp")]
    assert tmp_path / "root/pyproject.toml" in looked_at(tmp_path / "root", user_dirs).files
