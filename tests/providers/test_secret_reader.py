import shlex
import tomllib

import pytest
import yaml

from broker.core.credential import Secret
from broker.core.failures import NotObtained, Refused, SignInNeeded
from broker.core.secret_source import (
    CommandSecret,
    CredentialSecret,
    EnvSecret,
    FileSecret,
    KeyringSecret,
    NetrcSecret,
    SecretSource,
    parse,
)
from broker.providers import keyring_store, secret_reader
from broker.providers.helper_program import SecretFound
from broker.providers.secret_reader import fingerprint, read
from tests.providers.programs import Workshop
from tests.typed_line import type_line

HOST = "packages.example.com"

NETRC = f"machine {HOST} login ci password s3cret\n"


async def _read(
    source: SecretSource, workshop: Workshop, username: str | None = None, **more: str
) -> SecretFound:
    return await read(source, host=HOST, username=username, environ={**workshop.environ, **more})


async def test_a_variable_is_read_from_the_given_environment(workshop: Workshop) -> None:
    found = await _read(EnvSecret("TOKEN"), workshop, TOKEN=" s3cret\n")

    assert (found.username, found.secret) == (None, Secret("s3cret"))


UNUSABLE = [({}, SignInNeeded), ({"TOKEN": " \n"}, SignInNeeded), ({"TOKEN": "two\nlines"}, Refused)]


@pytest.mark.parametrize(("value", "kind"), UNUSABLE)
async def test_a_variable_that_a_service_lacks_is_led_to_a_file_and_not_to_a_secret_in_the_configuration(
    value: dict[str, str], kind: type[NotObtained], workshop: Workshop
) -> None:
    configured = 'secret = "env:TOKEN"'
    with pytest.raises(kind) as raised:
        await _read(EnvSecret("TOKEN"), workshop, **value)
    replaced, _, place = (raised.value.hint or "").partition("in place of ")[2].partition(": ")
    source = parse(tomllib.loads(configured.replace(replaced, place))["secret"])

    with pytest.raises(SignInNeeded, match="does not exist") as missing:
        await _read(source, workshop)

    assert type_line(missing.value.hint, workshop.environ, stdin="s3cret\n").returncode == 0
    assert (await _read(source, workshop)).secret == Secret("s3cret")


@pytest.mark.parametrize(("value", "kind"), UNUSABLE)
async def test_a_variable_that_a_private_broker_lacks_is_typed_into_its_shell(
    value: dict[str, str], kind: type[NotObtained], workshop: Workshop
) -> None:
    with pytest.raises(kind) as raised:
        await _read(EnvSecret("TOKEN"), workshop, TOKEN_BROKER_PRIVATE="1", **value)
    typed = type_line(raised.value.hint, workshop.environ, stdin="s3cret\n", then="env")

    variables = dict(line.split("=", 1) for line in typed.stdout.splitlines())
    assert (await _read(EnvSecret("TOKEN"), workshop, **variables)).secret == Secret("s3cret")


@pytest.mark.parametrize(
    ("agent", "told", "env"),
    [
        ({"TF_BUILD": "True"}, "add to the step in azure-pipelines.yml", {"TOKEN": "$(TOKEN)"}),
        (
            {"GITHUB_ACTIONS": "true"},
            "add to the job in .github/workflows",
            {"TOKEN": "${{ secrets.TOKEN }}"},
        ),
    ],
)
async def test_a_variable_that_a_job_lacks_is_mapped_in_its_pipelines_file(
    agent: dict[str, str], told: str, env: dict[str, str], workshop: Workshop
) -> None:
    with pytest.raises(SignInNeeded) as raised:
        await _read(EnvSecret("TOKEN"), workshop, TOKEN_BROKER_PRIVATE="1", **agent)

    file, _, lines = (raised.value.hint or "").partition(": ")
    assert (file, yaml.safe_load(lines)) == (told, {"env": env})


async def test_a_file_is_read_without_its_final_newline(workshop: Workshop) -> None:
    file = workshop.file("token", "s3cret\n")

    assert (await _read(FileSecret(str(file)), workshop)).secret == Secret("s3cret")
    assert (await _read(FileSecret("~/token"), workshop)).secret == Secret("s3cret")


async def test_a_file_is_read_without_the_byte_order_mark_of_an_editor(workshop: Workshop) -> None:
    file = workshop.file("token", "\ufeffs3cret\r\n")

    assert (await _read(FileSecret(str(file)), workshop)).secret == Secret("s3cret")


async def test_a_file_that_every_user_may_read_is_refused_with_the_cure(workshop: Workshop) -> None:
    file = workshop.file("my token", "s3cret\n", 0o644)

    with pytest.raises(Refused, match="every user of this machine") as raised:
        await _read(FileSecret(str(file)), workshop)

    assert raised.value.hint == f"chmod 600 {shlex.quote(str(file))}"
    assert type_line(raised.value.hint).returncode == 0
    assert (await _read(FileSecret(str(file)), workshop)).secret == Secret("s3cret")


async def test_a_container_runtime_may_choose_the_mode_of_its_secrets(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secret_reader, "CONTAINER_SECRETS", (workshop.home,))
    file = workshop.file("token", "s3cret", 0o444)

    assert (await _read(FileSecret(str(file)), workshop)).secret == Secret("s3cret")


async def test_a_credential_of_the_unit_is_read_where_systemd_shows_it(workshop: Workshop) -> None:
    workshop.file("corp-secret", "s3cret\n", 0o400)
    shown_in = {"CREDENTIALS_DIRECTORY": str(workshop.home)}

    assert (await _read(CredentialSecret("corp-secret"), workshop, **shown_in)).secret == Secret("s3cret")


@pytest.mark.parametrize("shown_in", [{}, {"CREDENTIALS_DIRECTORY": "/nowhere"}])
async def test_a_credential_that_no_unit_loads_names_the_line_that_loads_it(
    workshop: Workshop, shown_in: dict[str, str]
) -> None:
    with pytest.raises(SignInNeeded, match="has no credential corp-secret") as raised:
        await _read(CredentialSecret("corp-secret"), workshop, **shown_in)

    assert (raised.value.hint or "").endswith("LoadCredentialEncrypted=corp-secret")


async def test_a_file_that_does_not_exist_needs_a_person(workshop: Workshop) -> None:
    with pytest.raises(SignInNeeded, match="does not exist"):
        await _read(FileSecret(str(workshop.home / "absent")), workshop)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "is empty"),
        (b"s3cret\nand more", "one line of printable ASCII"),
        (b"s3cret\xff", "not text"),
        (b"s" * 65537, "larger than 64 KiB"),
    ],
)
async def test_a_file_without_a_secret_in_it_is_refused(
    content: bytes, complaint: str, workshop: Workshop
) -> None:
    file = workshop.file("token", content)

    with pytest.raises(Refused, match=complaint) as raised:
        await _read(FileSecret(str(file)), workshop)

    assert "s3cret" not in str(raised.value)
    assert type_line(raised.value.hint, stdin="an0ther\n").returncode == 0
    assert (await _read(FileSecret(str(file)), workshop)).secret == Secret("an0ther")


async def test_what_is_not_a_file_is_refused_at_once(workshop: Workshop) -> None:
    pipe = workshop.folder / "started"  # nobody writes to it
    for path, why, line in (
        (workshop.home, "is a directory", "rmdir"),
        (pipe, "is a named pipe", "ls -l"),
    ):
        with pytest.raises(Refused, match=why) as raised:
            await _read(FileSecret(str(path)), workshop)
        assert raised.value.hint == f"{line} {path}"


async def test_a_secret_behind_a_link_that_leads_nowhere_is_not_written_anew(workshop: Workshop) -> None:
    """As dotfiles before their disk is mounted: a shell cannot write through the link either."""
    (workshop.home / "token").symlink_to("/no/such/disk/token")

    for source in (FileSecret("~/token"), NetrcSecret()):
        with pytest.raises(
            SignInNeeded, match="is a link to /no/such/disk/token, which is missing"
        ) as raised:
            await _read(source, workshop, NETRC="~/token")
        assert type_line(raised.value.hint).stdout.endswith("token -> /no/such/disk/token\n")


async def test_a_path_below_a_file_does_not_exist(workshop: Workshop) -> None:
    netrc_file = workshop.file(".netrc", NETRC)

    with pytest.raises(SignInNeeded, match="does not exist"):
        await _read(FileSecret(f"{netrc_file}/token"), workshop)


@pytest.mark.parametrize("username", [None, "ci"])
async def test_netrc_gives_username_and_password_of_the_host(
    username: str | None, workshop: Workshop
) -> None:
    workshop.file(".netrc", NETRC)

    found = await _read(NetrcSecret(), workshop, username)

    assert (found.username, found.secret) == ("ci", Secret("s3cret"))


async def test_the_netrc_variable_names_another_file(workshop: Workshop) -> None:
    other = workshop.file("elsewhere", NETRC)

    assert (await _read(NetrcSecret(), workshop, NETRC=str(other))).username == "ci"


@pytest.mark.parametrize(
    ("content", "username", "failure"),
    [
        ("machine other.example.com login ci password s3cret", None, SignInNeeded(f"no entry for {HOST}")),
        (NETRC, "dev", SignInNeeded(f"no entry for {HOST} and user dev")),
        (f"machine {HOST} login ci", None, SignInNeeded(f"no entry for {HOST}")),
        (f"machine {HOST} login ci password sécret", None, Refused("one line of printable ASCII")),
        (f"machine {HOST} login çi password s3cret", None, Refused("one line of printable ASCII")),
        ("\nmachine example.com login ci s3cret", None, Refused("cannot be understood at line 2")),
    ],
)
async def test_a_netrc_without_an_answer_says_why_and_quotes_nothing(
    content: str, username: str | None, failure: NotObtained, workshop: Workshop
) -> None:
    workshop.file(".netrc", content)

    with pytest.raises(type(failure), match=failure.detail) as raised:
        await _read(NetrcSecret(), workshop, username)

    assert "cret" not in str(raised.value)


@pytest.mark.parametrize("beside", [b"# caf\xe9\n", b"machine other.example login ci password \xe9\n"])
async def test_a_netrc_whose_other_lines_are_not_utf8_answers(beside: bytes, workshop: Workshop) -> None:
    workshop.file(".netrc", beside + NETRC.encode())

    assert (await _read(NetrcSecret(), workshop)).secret == Secret("s3cret")


@pytest.mark.parametrize(
    "content",
    [
        b"machine x.example login ci s3cret\n",
        b"password\n",
        f"machine {HOST} login ci password s\xe9cret\n".encode("latin-1"),
        f'machine {HOST} login ci password "two words"\n'.encode() * 3000,
    ],
)
async def test_a_netrc_that_cannot_be_used_is_led_to_the_editor(content: bytes, workshop: Workshop) -> None:
    workshop.file("my netrc", content)
    environ = {**workshop.environ, "NETRC": "~/my netrc"}
    corrected = workshop.file("corrected", NETRC)

    with pytest.raises(Refused) as raised:
        await _read(NetrcSecret(), workshop, NETRC="~/my netrc")

    assert type_line(raised.value.hint, {**environ, "EDITOR": f"cp {corrected}"}).returncode == 0
    assert (await _read(NetrcSecret(), workshop, NETRC="~/my netrc")).secret == Secret("s3cret")


@pytest.mark.parametrize("content", [None, "", f"machine {HOST} login other password wrong\n"])
async def test_the_line_for_a_netrc_without_an_answer_makes_it_answer(
    content: str | None, workshop: Workshop
) -> None:
    netrc = workshop.home / ".netrc" if content is None else workshop.file(".netrc", content)

    with pytest.raises(SignInNeeded) as raised:
        await _read(NetrcSecret(), workshop, "ci")
    told, _, line = (raised.value.hint or "").partition(": ")
    workshop.file(".netrc", line.replace("...", "s3cret"))

    assert told == f"add to {netrc}"
    assert (await _read(NetrcSecret(), workshop, "ci")).secret == Secret("s3cret")


async def test_a_netrc_that_every_user_may_read_is_refused(workshop: Workshop) -> None:
    workshop.file(".netrc", NETRC, 0o644)

    with pytest.raises(Refused, match="every user of this machine"):
        await _read(NetrcSecret(), workshop)


async def test_a_command_is_asked_in_the_given_environment(workshop: Workshop) -> None:
    workshop.script("pass", 'printf %s "$TOKEN"')

    assert (await _read(CommandSecret(("pass",)), workshop, TOKEN="s3cret")).secret == Secret("s3cret")


async def test_the_keyring_is_asked_for_the_entrys_user_before_the_feeds(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str | None]] = []

    async def answer(service: str, username: str | None) -> tuple[str | None, str]:
        asked.append((service, username))
        return username, "s3cret\n"

    monkeypatch.setattr(keyring_store, "read_login", answer)

    for source in (KeyringSecret("corp", "ci"), KeyringSecret("corp")):
        assert (await _read(source, workshop, "dev")).secret == Secret("s3cret")

    assert asked == [("corp", "ci"), ("corp", "dev")]


def test_marks_change_with_the_variable(workshop: Workshop) -> None:
    seen = [
        fingerprint(EnvSecret("T"), {**workshop.environ, **more})
        for more in ({}, {"T": "a"}, {"T": "b"}, {"T": "b"})
    ]

    assert len(set(seen[:3])) == 3
    assert seen[2] == seen[3]


def test_marks_change_with_the_file(workshop: Workshop) -> None:
    file = workshop.home / "token"
    source, before = FileSecret("~/token"), fingerprint(FileSecret("~/token"), workshop.environ)
    file.write_text("a")
    written = fingerprint(source, workshop.environ)
    file.write_text("longer")

    assert len({before, written, fingerprint(source, workshop.environ)}) == 3


def test_marks_change_with_the_netrc(workshop: Workshop) -> None:
    before = fingerprint(NetrcSecret(), workshop.environ)
    workshop.file(".netrc", NETRC)

    assert fingerprint(NetrcSecret(), workshop.environ) != before


@pytest.mark.parametrize("source", [KeyringSecret("corp"), CommandSecret(("pass",))])
def test_marks_of_what_cannot_be_seen_never_change(source: SecretSource, workshop: Workshop) -> None:
    assert fingerprint(source, workshop.environ) is None
