"""Every line that a page tells people to type is run by a test that is named here, or has the reason why not."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from tests.conftest import ROOT

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "client" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
]

KINDS = {
    "toml": "tests/test_docs.py::test_each_configuration_that_is_told_is_read",
    "json": "tests/test_documents.py::test_devcontainer_mounts_the_folder_where_the_client_is_told_to_look",
    "yaml": "tests/systemd/test_fleet_page.py::test_each_user_has_the_sites_feed_after_the_next_login",
    "dockerfile": "tests/systemd/test_podman.py::test_build_takes_the_password_as_a_secret_and_the_image_has_none",
    "ini": "tests/systemd/test_workstation_page.py::test_the_group_gets_the_secret_that_the_unit_loads_and_no_one_else_does",
    "text": "tests/systemd/test_cron_page.py::test_the_pages_crontab_syncs_a_project_and_runs_a_wrapped_command",
    "": "reason: what a command prints",
    "sh": "",
}
"""What holds the fences of each kind; those of a shell are held line by line."""

PAGE_TEST = "tests/test_install_page.py::test_the_page_is_followed_from_wheels_to_uninstall"
WITHOUT_INDEX = (
    "tests/test_install_page.py::test_the_folder_that_pip_made_installs_and_upgrades_without_an_index"
)
README_TEST = (
    "tests/systemd/test_newcomer.py::test_who_follows_the_readme_has_a_feed_that_works_and_can_undo_it"
)
FIELD = "tests/e2e/test_feeds_of_the_field.py::test_client_installs_from_every_kind_of_feed"
ADDING = "tests/ctl/test_adding.py::test_address_says_which_provider_it_is"
GATEWAY = "tests/e2e/test_gateway.py::"
SSH = "tests/e2e/test_ssh.py::test_share_is_reached_over_ssh_and_its_renewal_too"
PODMAN = "tests/systemd/test_podman.py::"
WORKSTATION = "tests/systemd/test_workstation_page.py::"
SECRET = WORKSTATION + "test_the_group_gets_the_secret_that_the_unit_loads_and_no_one_else_does"
FLEET = "tests/systemd/test_fleet_page.py::test_each_user_has_the_sites_feed_after_the_next_login"
OURS = "reason: .ci/run and every developer type it; a test that runs all tests would not end"
VENDOR = "reason: a vendor's own sign-in, at that vendor"

TYPED = {
    r"python3 -m venv \.venv && .*brokerctl demo": "tests/ctl/test_demo.py::test_demo_installs_from_memory_and_sees_a_token_replaced",
    r"python3 -m venv \.venv && .*pytest": OURS,
    r"\.venv/bin/python -m tests\.test_architecture_page": "tests/test_architecture_page.py::test_drawing_has_the_arrows_that_the_imports_have",
    r"uv tool install \.": README_TEST,
    r"export PATH=\"\$HOME/\.local/bin:\$PATH\"": README_TEST,
    r"brokerctl setup": README_TEST,
    r"az login": README_TEST,
    r"uv venv": README_TEST,
    r"uv pip install --index-url https://VssSessionToken@.*": README_TEST,
    r"uv tool install --reinstall \.": README_TEST,
    r"brokerctl teardown && uv tool uninstall token-broker": README_TEST,
    r"uv pip install --index-url https://(aws|oauth2accesstoken)@.*": FIELD,
    r"(gcloud auth|aws sso) login": VENDOR,
    r"brokerctl add https://.*": ADDING,
    r"brokerctl exec -- uv sync": "tests/ctl/test_exec.py::",
    r"brokerctl why -- uv sync": "tests/ctl/test_why.py::test_a_command_that_works_is_summed_up_in_one_line_and_keeps_its_output",
    r"brokerctl exec --gateway -- uv sync --frozen": GATEWAY + "test_uv_locks_and_syncs_files_off_the_root",
    r"brokerctl exec --gateway -- npm ci": GATEWAY + "test_npm_installs_and_ci_from_its_lock",
    r"brokerctl exec --gateway -- tox": GATEWAY + "test_tox_installs_into_its_environment",
    r"brokerctl exec --gateway=strict --allow .*": GATEWAY
    + "test_strict_gateway_lets_feeds_through_and_tells_the_others",
    r"brokerctl exec --gateway=strict -- sh -c .*bwrap.*": GATEWAY
    + "test_agent_in_the_pages_sandbox_has_the_feeds_and_no_broker",
    r"brokerctl share --feed corp --for 8h --name dev": "tests/e2e/test_shares.py::test_container_gets_what_is_shared_and_is_sent_on_with_the_rest",
    r"podman run .*": PODMAN + "test_podman_recipe_syncs_a_project_rootless",
    r"docker run --rm .*": PODMAN + "test_docker_recipe_syncs_a_project_with_an_engine_of_root",
    r"docker (run -e|exec) .*": PODMAN
    + "test_password_of_the_moment_is_enough_where_no_socket_can_be_mounted",
    r"UV_INDEX_CORP_PASSWORD=.* docker build .*": PODMAN
    + "test_build_takes_the_password_as_a_secret_and_the_image_has_none",
    r"ssh HOST .*": SSH,
    r"ssh -R .*": SSH,
    r"export TOKEN_BROKER_SOCKET=.*": SSH,
    r"export PIP_KEYRING_PROVIDER=subprocess": "tests/e2e/test_installs.py::test_client_installs_through_the_shim",
    r"export UV_KEYRING_PROVIDER=subprocess PIP_KEYRING_PROVIDER=subprocess": "tests/e2e/test_installs.py::test_client_installs_through_the_shim",
    r"pipx inject poetry .*": "tests/e2e/test_poetry.py::test_poetry_locks_and_syncs_from_a_source_without_username",
    r"uv publish .*": "tests/e2e/test_publishing.py::test_uv_publishes_to_every_kind_of_feed",
    r"uv build --all-packages --out-dir wheels": PAGE_TEST,
    r"python3 -m pip wheel --wheel-dir wheels \./client \.": PAGE_TEST,
    r"uv tool install (--reinstall )?wheels/.*": PAGE_TEST,
    r"python3 -m venv ~/\.local/token-broker": PAGE_TEST,
    r"~/\.local/token-broker/bin/pip install (?!--no-index).*": PAGE_TEST,
    r"(uv tool|~/\.local/token-broker/bin/pip) install --no-index .*": WITHOUT_INDEX,
    r"mkdir -p ~/\.local/bin && ln -sf .*": PAGE_TEST,
    r"brokerctl setup --clients": (
        "tests/ctl/test_client_backends.py::test_client_gets_our_backend_and_teardown_takes_it_away"
    ),
    r"brokerctl teardown": PAGE_TEST,
    r"uv tool uninstall token-broker": PAGE_TEST,
    r"rm -rf ~/\.local/token-broker ~/\.local/bin/brokerctl": PAGE_TEST,
    r"brokerctl setup --replace": "tests/ctl/test_set_up_again.py::test_keyring_that_uv_put_back_is_replaced_again_and_the_newer_one_is_restored",
    r"sh ~/\.local/share/token-broker/setup/undo\.sh": "tests/ctl/test_killed_set_up.py::test_killed_at_every_fourteenth_change_it_leaves_nothing",
    r"curl --unix-socket .*": "tests/e2e/test_socket_api.py::test_status_has_every_key_of_the_contract",
    r"python3 -m venv /opt/token-broker && .*": FLEET,
    r"install -D -m 0644 site\.toml .*": FLEET,
    r"/opt/token-broker/bin/brokerctl setup --all-users": FLEET,
    r"UV_TOOL_DIR=/opt/token-broker .*": WORKSTATION
    + "test_each_user_has_a_broker_of_their_own_over_the_sites_configuration",
    r"sudo brokerctl setup --(all-users|system)": SECRET,
    r"sudo usermod -aG feed-users alice": SECRET,
    r"sudo (mkdir -p -m 700|systemd-creds encrypt|systemctl edit) .*": SECRET,
    r"pip install --no-index wheels/token_broker_client-\*\.whl": "tests/client/test_wheel.py::test_native_wheel_installs_a_program_that_runs",
    r"ln -s \"\$\(command -v keyring-shim\)\" .*": "tests/client/test_wheel.py::test_native_wheel_installs_a_program_that_runs",
    r"keyring --mode creds get .*": "tests/contract/test_answers.py::",
    r"uv run --script client/build_wheels\.py --out dist": "reason: downloads a compiler; .ci/wheels types it for a release",
}
"""What holds a line, by a pattern of the whole line: a test, or `reason:` and why no test runs it."""


def fences() -> list[tuple[str, str, str]]:
    """Page, kind and text of each fenced block."""
    return [
        (str(path.relative_to(ROOT)), kind, text)
        for path in PAGES
        for kind, text in re.findall(r"^```(\w*)\n(.*?)^```$", path.read_text(), re.DOTALL | re.MULTILINE)
    ]


def lines() -> list[tuple[str, str]]:
    """Page and line of all that is typed into a shell; a comment at its end is none of it."""
    return sorted(
        {
            (page, re.sub(r"\s+# .*$", "", line).strip())
            for page, kind, text in fences()
            if kind == "sh"
            for line in re.sub(r"\\\n\s*", " ", text).splitlines()
            if line.strip()
        }
    )


@cache
def names_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def is_there(held_by: str) -> bool:
    """Whether the test is there; `FILE::` means several tests of that file."""
    path, _, name = held_by.partition("::")
    return held_by.startswith("reason: ") or (
        (ROOT / path).is_file() and (not name or name in names_in(path))
    )


@pytest.mark.parametrize(("page", "line"), lines())
def test_each_line_is_run_by_a_test_or_says_why_not(page: str, line: str) -> None:
    held_by = [reason for pattern, reason in TYPED.items() if re.fullmatch(pattern, line)]

    assert held_by, f"{page} tells people to type a line that is in no row of TYPED: {line}"


def test_each_kind_of_fence_is_held() -> None:
    assert {kind for _, kind, _ in fences()} <= set(KINDS)


@pytest.mark.parametrize("held_by", sorted({*TYPED.values(), *filter(None, KINDS.values())}))
def test_each_test_that_holds_a_line_is_there(held_by: str) -> None:
    assert is_there(held_by)


def test_no_row_is_left_of_a_line_that_is_gone() -> None:
    typed = [line for _, line in lines()]

    assert [pattern for pattern in TYPED if not any(re.fullmatch(pattern, line) for line in typed)] == []
