from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from broker.config.paths import ConfigPaths
from broker.ctl.add.config_file import ConfigFile
from broker.ctl.command_error import CommandError
from tests.ctl.stand_in import problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ctl.conftest import Ended
    from tests.ctl.stand_in import StandInBroker

    Brokerctl = Callable[..., Ended]

AZURE = "https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/"
OWN = "https://packages.example.com/simple/"
SECRET = "correct-horse-battery"


@pytest.fixture
def file(room: Path) -> Path:
    """Where the user's configuration is, or will be."""
    return room / ".config" / "token-broker" / "config.toml"


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_first_feed_makes_a_file_that_only_its_owner_reads(brokerctl: Brokerctl, file: Path) -> None:
    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 0
    assert file.read_text() == f'[[feed]]\nname = "corp"\nurl = "{AZURE}"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_add_says_what_it_did_and_how_the_feed_is_used(brokerctl: Brokerctl) -> None:
    ended = brokerctl("add", AZURE)

    url = AZURE.replace("https://", "https://VssSessionToken@")
    assert ended.stdout == (
        "added corp to ~/.config/token-broker/config.toml; "
        "the broker is not running and will read it when it starts\n\n"
        f"  uv    uv pip install --keyring-provider subprocess --index-url {url} PACKAGE\n"
        f"  pip   pip install --keyring-provider subprocess --index-url {url} PACKAGE\n"
    )


def test_all_options_become_keys(brokerctl: Brokerctl, file: Path) -> None:
    options = [
        "--name",
        "x",
        "--provider",
        "azure",
        "--secret",
        "env:TOKEN",
        "--tenant",
        "t",
    ]
    ended = brokerctl(
        "add", AZURE, *options, "--also", "https://a.example.com/", "--also", "https://b.example.com/",
        "verify=false", 'auth=["client-secret"]', "token=entra",
        "client_id=00000000-0000-0000-0000-000000000001",
    )  # fmt: skip

    assert ended.exit_code == 0, ended.stderr
    assert file.read_text() == (
        f'[[feed]]\nname = "x"\nurl = "{AZURE}"\nalso = ["https://a.example.com/", "https://b.example.com/"]\n'
        'provider = "azure"\nsecret = "env:TOKEN"\ntenant = "t"\nverify = false\n'
        'auth = ["client-secret"]\ntoken = "entra"\n'
        'client_id = "00000000-0000-0000-0000-000000000001"\n'
    )


def test_user_name_in_the_url_is_the_feeds_user_name(brokerctl: Brokerctl, file: Path) -> None:
    ended = brokerctl("add", "https://a%40b@packages.example.com/simple?x#y", "--secret", "netrc")

    assert ended.exit_code == 0
    assert f'url = "{OWN}"\nprovider = "basic"\nusername = "a@b"\n' in file.read_text()


def test_user_name_in_a_url_whose_server_ignores_it_is_not_kept(brokerctl: Brokerctl, file: Path) -> None:
    brokerctl("add", AZURE.replace("https://", "https://someone@"))

    assert "someone" not in file.read_text()


@pytest.mark.parametrize(
    "words",
    [
        (OWN, "--secret", SECRET),
        (OWN, "--secret", f"token:{SECRET}"),
        (OWN, "--secret", "env:"),
        (f"https://me:{SECRET}@packages.example.com/simple/",),
        (OWN, "--secret", "netrc", f"password={SECRET}"),
        (OWN, "--secret", "netrc", f"pat={SECRET}"),
        (OWN, f"secret={SECRET}"),
    ],
)
def test_plain_secret_is_refused_and_not_repeated(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...]
) -> None:
    ended = brokerctl("add", *words)

    assert ended.exit_code == 1
    assert (
        "env:NAME, file:PATH, credential:NAME, keyring:SERVICE[:USER], netrc or command:ARGV..."
        in ended.stderr
    )
    assert SECRET not in ended.stdout + ended.stderr
    assert not file.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((AZURE,), f"{AZURE} is configured already, as corp"),
        ((AZURE.removesuffix("/"), "--name", "other"), "is configured already, as corp"),
        (("https://also.example.com/",), "is configured already, as corp"),
        ((AZURE.replace("corp", "tools"), "--name", "corp"), "a feed called corp is configured already"),
    ],
)
def test_duplicate_is_refused_with_its_place(
    brokerctl: Brokerctl, file: Path, words: tuple[str, ...], said: str
) -> None:
    text = f'# mine\n[[feed]]\nname = "corp"\nurl = "{AZURE}"\nalso = ["https://also.example.com/"]\n'
    write(file, text)

    ended = brokerctl("add", *words)

    assert ended.exit_code == 1
    assert said in ended.stderr
    assert "line 2)" in ended.stderr
    assert file.read_text() == text


def test_name_made_from_the_url_is_one_that_is_free(brokerctl: Brokerctl, file: Path) -> None:
    brokerctl("add", AZURE)
    brokerctl("add", AZURE.replace("acme", "other"))
    brokerctl("add", AZURE.replace("acme", "third"))

    names = [line for line in file.read_text().splitlines() if line.startswith("name")]
    assert names == ['name = "corp"', 'name = "corp-2"', 'name = "corp-3"']


def test_host_that_names_no_provider_needs_one(brokerctl: Brokerctl, file: Path) -> None:
    ended = brokerctl("add", OWN)

    assert ended.exit_code == 1
    said = f"{OWN.removesuffix('/simple/')} is taken for basic, which needs a secret"
    line = f"brokerctl add {OWN} --provider basic --username NAME --secret "
    assert ended.stderr.startswith(f"token-broker: {said}; run: {line}")
    assert not file.exists()


@pytest.mark.parametrize(
    "words",
    [
        ("packages.example.com",),
        ("ftp://x/",),
        ("http://example.com/",),
        (OWN, "novalue"),
        (OWN, "a b=1"),
        (),
    ],
)
def test_what_makes_no_sense_is_exit_2(brokerctl: Brokerctl, words: tuple[str, ...]) -> None:
    assert brokerctl("add", *words).exit_code == 2


def test_broken_file_is_not_made_worse(brokerctl: Brokerctl, file: Path) -> None:
    write(file, "ttl = \n")

    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 1
    assert "config.toml, line 1" in ended.stderr
    assert file.read_text() == "ttl = \n"


def test_running_broker_is_told(brokerctl: Brokerctl, broker: StandInBroker, file: Path) -> None:
    seen: list[str] = []

    def reload(_: dict[str, str]) -> tuple[int, object]:
        seen.append(file.read_text())
        return 200, {"feeds": ["corp"]}

    broker.answers["POST /v1/reload"] = reload

    ended = brokerctl("add", AZURE)

    assert ended.stdout.startswith(
        "added corp to ~/.config/token-broker/config.toml; the running broker knows\n"
    )
    assert seen == [file.read_text()]


@pytest.mark.parametrize("before", [None, "# precious\n"])
def test_file_is_put_back_when_the_running_broker_refuses_it(
    brokerctl: Brokerctl, broker: StandInBroker, file: Path, before: str | None
) -> None:
    if before is not None:
        write(file, before)
    broker.answers["POST /v1/reload"] = problem(
        422, "bad-configuration", "config.toml, line 4: unknown key tenannt"
    )

    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 1
    assert ended.stderr == "token-broker: config.toml, line 4: unknown key tenannt (the file is as it was)\n"
    assert (file.read_text() if file.exists() else None) == before


def test_link_to_a_file_elsewhere_stays_a_link(brokerctl: Brokerctl, file: Path, tmp_path: Path) -> None:
    write(file, "")
    elsewhere = tmp_path / "dotfiles.toml"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)

    brokerctl("add", AZURE)

    assert file.is_symlink()
    assert "corp" in elsewhere.read_text()


def test_another_file_can_be_named(brokerctl: Brokerctl, file: Path, tmp_path: Path) -> None:
    brokerctl("add", AZURE, "--config", str(tmp_path / "other.toml"))

    assert (tmp_path / "other.toml").exists()
    assert not file.exists()


def test_directory_that_cannot_be_made_is_one_line(brokerctl: Brokerctl, room: Path) -> None:
    (room / ".config").write_text("a file")

    ended = brokerctl("add", AZURE)

    assert ended.exit_code == 1
    assert ended.stderr.count("\n") == 1


def test_remove_takes_out_the_feed_of_that_name(brokerctl: Brokerctl, file: Path) -> None:
    write(
        file,
        f'# top\n\n[[feed]]\nurl = "{AZURE}"\n\n[[feed]]\nname = "x"\nurl = "{OWN}"\nprovider = "basic"\n',
    )

    ended = brokerctl("remove", "corp")

    assert ended.stdout.startswith("removed corp from ~/.config/token-broker/config.toml; ")
    assert file.read_text() == f'# top\n\n[[feed]]\nname = "x"\nurl = "{OWN}"\nprovider = "basic"\n'


@pytest.mark.parametrize("text", [None, "", f'[[feed]]\nurl = "{AZURE}"\n'])
def test_feed_that_is_not_there_cannot_be_removed(brokerctl: Brokerctl, file: Path, text: str | None) -> None:
    if text is not None:
        write(file, text)

    ended = brokerctl("remove", "other")

    assert ended.exit_code == 1
    assert ended.stderr.startswith("token-broker: there is no feed called other in ~/.config/")


def test_file_with_a_feed_that_has_its_address_from_a_file_below_can_be_edited(
    brokerctl: Brokerctl, file: Path
) -> None:
    shared = '[[feed]]\nname = "corp"\nurl = "https://corp.example/"\nprovider = "basic"\nsecret = "env:X"\n'
    override = '[[feed]]\nname = "corp"\nusername = "me"\n'
    write(file, override)
    write(file.with_name("env.toml"), shared)

    added = brokerctl("add", AZURE)
    removed = brokerctl("remove", "corp")

    assert (added.exit_code, removed.exit_code) == (0, 0), added.stderr + removed.stderr
    assert file.read_text() == f'[[feed]]\nname = "corp-2"\nurl = "{AZURE}"\n'


def test_file_that_cannot_be_replaced_leaves_nothing_beside_it(file: Path) -> None:
    (file / "in the way").mkdir(parents=True)

    with pytest.raises(CommandError, match="cannot be written"):
        ConfigFile(ConfigPaths(file, file)).write("ttl = 1")

    assert list(file.parent.iterdir()) == [file]


def test_nothing_else_is_left_in_the_directory(brokerctl: Brokerctl, file: Path) -> None:
    brokerctl("add", AZURE)
    brokerctl("add", OWN, "--secret", SECRET)
    brokerctl("remove", "corp")

    assert [path.name for path in file.parent.iterdir()] == ["config.toml"]
