"""What the vendors' tools print and say in the field, tool by tool: served, or told with a line to type. Each
row names where it was seen; rows without a source are variants of those.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import TYPE_CHECKING

import pytest

from broker.core.failures import NotObtained, Refused
from broker.core.feeds import READ
from broker.core.urls import parse_url
from broker.providers.artifactory import ArtifactoryProvider
from broker.providers.azure.azd import AzureDeveloperCli
from broker.providers.azure.azure_cli import AzureCli
from broker.providers.azure.codespaces import AdoAuthHelper
from broker.providers.azure.identities import Bearer, Identity, Skipped
from broker.providers.codeartifact import provider as codeartifact
from broker.providers.codeartifact.provider import CodeArtifactProvider
from broker.providers.command import CommandProvider
from broker.providers.google import provider as google
from broker.providers.google.provider import GoogleProvider
from tests.providers.conftest import NOW
from tests.providers.online import feed_of
from tests.providers.programs import BROKEN
from tests.providers.tokens import jwt

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from broker.core.credential import Credential
    from broker.core.urls import Url
    from broker.providers.protocol import Provider, ProviderContext
    from tests.providers.programs import Workshop

TENANT = "11111111-2222-3333-4444-555555555555"
TOKEN = jwt(exp=4070908800, tid=TENANT, upn="dev@acme.example", scp="user_impersonation", marks="s3cret")
END = "2099-01-01T00:00:00Z"
CODEARTIFACT = parse_url(
    "https://my-team-123456789012.d.codeartifact.eu-west-1.amazonaws.com/pypi/corp/simple/"
)
GOOGLE = parse_url("https://europe-west1-python.pkg.dev/acme-project/corp/simple/")
ARTIFACTORY = parse_url("https://acme.jfrog.io/artifactory/api/pypi/corp/simple/")
COMMAND = "command-of-the-user"
TOOL = parse_url("https://tool.example.com/simple/")

PROVIDERS: dict[str, tuple[Callable[[ProviderContext], Provider], Url, dict[str, object]]] = {
    "gcloud": (GoogleProvider, GOOGLE, {}),
    "aws": (CodeArtifactProvider, CODEARTIFACT, {}),
    "jf": (ArtifactoryProvider, ARTIFACTORY, {"jf": "acme"}),
    "command": (CommandProvider, TOOL, {"command": [COMMAND]}),
}
"""The provider that asks the tool; the others are ways of Azure's to sign in."""

ANSWERS: dict[str, str] = {
    "az": json.dumps({"accessToken": TOKEN, "expires_on": 4070908800, "tenant": TENANT}, indent=2),
    "azd": json.dumps({"token": TOKEN, "expiresOn": END}),
    "ado-auth-helper": TOKEN,
    "gcloud": json.dumps({"credential": {"access_token": TOKEN, "token_expiry": END}}, indent=2),
    "aws": json.dumps({"authorizationToken": TOKEN, "expiration": END}, indent=4),
    "command": json.dumps({"access_token": TOKEN, "token_type": "Bearer"}),
    "jf": json.dumps({"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}, indent=2),
}
"""What each of them prints where nothing is in the way."""

LOG = '{"type":"consoleMessage","timestamp":"2026-11-01T00:00:00Z","data":{"message":"Fetching\\n"}}'

NOISE: dict[str, Callable[[str], str]] = {
    "ESC[0m after it (azure-sdk-for-python#18664)": lambda answer: f"{answer}\n\x1b[0m",
    "colours around it": lambda answer: f"\x1b[32m{answer}\x1b[39;49;00m",
    "CRLF (az.cmd in WSL)": lambda answer: answer.replace("\n", "\r\n") + "\r\n",
    "a byte order mark (PowerShell)": lambda answer: f"\ufeff{answer}",
    "a warning before it": lambda answer: f"WARNING: a new version (2.91.0) is available {{x}}\n{answer}",
    "a deprecation before it": lambda answer: f"/usr/lib/az.py:1: SyntaxWarning: '\\d'\n  re\n{answer}",
    "a message after it": lambda answer: f"{answer}\nTo take a quick survey, run: gcloud survey\n",
    "console messages before it (azure-dev#7700)": lambda answer: f"{LOG}\n{LOG}\n{answer}",
    "a title and blank lines": lambda answer: f"\x1b]0;tool\x07\n\n{answer}\n\n",
    "all of it twice": lambda answer: f"{answer}\n{answer}\n",
    "a link of a terminal before it (OSC 8)": lambda answer: (
        f"\x1b]8;;https://aka.ms/x\x1b\\release notes\x1b]8;;\x07\n{answer}"
    ),
    "a progress bar drawn over itself": lambda answer: (
        f"\r[    ] 0%\r[##  ] 50%\r[####] 100%\r\x1b[2K{answer}"
    ),
    "the words of another language": lambda answer: f"警告: Überprüfung übersprungen\n{answer}",
    "an object of its own before it": lambda answer: f'{{"level": "warn", "message": "old"}}\n{answer}',
    "a form feed and a bell": lambda answer: f"\x07\x0c\n{answer}\n\x07",
    "a traceback of a helper before it": lambda answer: (
        f"Traceback (most recent call last):\n  File \"x\"\nKeyError: {{'a'}}\n{answer}"
    ),
    "a list around it": lambda answer: f"[{answer}]" if answer.startswith("{") else f" {answer} ",
    "a NUL at its end": lambda answer: f"{answer}\0",
    "blanks and line ends after it": lambda answer: f"{answer} \t\n\n\r\n",
}

NOTHING: dict[str, str] = {
    "nothing": "",
    "colours alone": "\x1b[0m\n",
    "a list of nothing": "[]",
    "null": '{"accessToken": null, "token": null, "access_token": null, "authorizationToken": null}',
    "another object": '{"error": {"code": "s3cret", "message": "s3cret"}}',
    "half of an object": '{"accessToken": "s3cret',
    "log lines alone (azure-dev#7700)": f"{LOG}\n{LOG}",
    "two tokens": f"{json.dumps({'accessToken': TOKEN, 'token': TOKEN})}\n"
    f"{json.dumps({'accessToken': TOKEN + 'x', 'token': TOKEN + 'x'})}",
    "a sign-in page": "<html>\n<title>Sign in</title>\ns3cret\n</html>",
    "lines of text": "Fetching the token ...\ndone: s3cret",
    "null alone": "null",
    "an empty object": "{}",
    "the token in another object": json.dumps({"outer": {"inner": {"accessToken": TOKEN, "token": TOKEN}}}),
    "a token that is a number": '{"accessToken": 5, "token": 5, "access_token": 5, "authorizationToken": 5}',
    "a list for a token": (
        '{"accessToken": ["s3cret"], "token": ["s3cret"], "access_token": ["s3cret"],'
        ' "authorizationToken": ["s3cret"], "credential": ["s3cret"]}'
    ),
    "a traceback": "Traceback (most recent call last):\n  File s3cret\nKeyError: 's3cret'",
    "an error, and a good exit code": "ERROR: Please run 'az login' to setup account. s3cret s3cret",
    "a token of two lines": json.dumps(
        dict.fromkeys(("accessToken", "token", "access_token", "authorizationToken"), "s3cret\nX")
    ),
    "a token with blanks inside": json.dumps(
        dict.fromkeys(("accessToken", "token", "access_token", "authorizationToken"), "s3cret X")
    ),
    "an error in another language": "FEHLER: Zugriff verweigert (s3cret)\nアクセスが拒否されました",
}
"""Exit code 0 and no token: what is told is the shape."""

FAILURES: dict[str, list[str]] = {
    "az": [
        "ERROR: Please run 'az login' to setup account.",
        "ERROR: AADSTS700082: The refresh token has expired due to inactivity. s3cret",
        "ERROR: AADSTS50076: Due to a configuration change made by your administrator, s3cret",
        "ERROR: AADSTS53003: Access has been blocked by Conditional Access policies. s3cret",
        "ERROR: AADSTS700024: Client assertion is not within its valid time range. s3cret",
        "ERROR: AADSTS70021: No matching federated identity record found. s3cret",
        "ERROR: AADSTS700027: The certificate is not registered. s3cret",
        "ERROR: AADSTS7000112: Application is disabled. s3cret",
        "ERROR: Tenant shouldn't be specified for managed identity account",  # azure-cli#26775, twice
        "token_cache.py\njson.decoder.JSONDecodeError: Extra data: line 14",  # azure-cli#29996
        "HTTPSConnectionPool(host='login'): Max retries exceeded (Caused by ProxyError('s3cret'))",
        "bad interpreter: No such file or directory",  # azure-sdk-for-net#12841
        "The command failed with an unexpected error. Here is the traceback:\nKeyError: 's3cret'",
    ],
    "azd": [
        "ERROR: not logged in, run `azd auth login` to login",
        "ERROR: AADSTS70043: s3cret",
        "ERROR: AADSTS53003: s3cret",
        "ERROR: AADSTS700024: s3cret",
        "ERROR: AADSTS700027: s3cret",
        "ERROR: AADSTS700213: s3cret",
        "reauthentication required, run `azd auth login`",
        'POST https://login.microsoftonline.com/ ... "error": "invalid_grant" s3cret',
        "dial tcp: lookup login.microsoftonline.com: no such host",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        f"{LOG}\ns3cret",
        "panic: runtime error: s3cret",
    ],
    "ado-auth-helper": [
        *(
            "",
            "s3cret",
            "node: not found",
            "timeout",
            "Error: s3cret",
            "x" * 999,
            "\x1b[31m",
            "{}",
            "no auth",
        ),
        "connect ECONNREFUSED",
    ],
    "gcloud": [
        "ERROR: (gcloud.config.config-helper) You do not currently have an active account selected.",
        "ERROR: There was a problem refreshing your current auth tokens: ('invalid_grant: s3cret')",
        "ERROR: (gcloud) Reauthentication failed. cannot prompt during non-interactive execution.",
        "ERROR: invalid_grant: Bad Request, invalid_rapt s3cret",
        "ERROR: Invalid JWT Signature. s3cret",
        "ERROR: account not found s3cret",
        "ssl.SSLCertVerificationError: CERTIFICATE_VERIFY_FAILED",
        "Unable to find the server at oauth2.googleapis.com",
        "ERROR: IAM_PERMISSION_DENIED s3cret",
        "ERROR: gcloud crashed (KeyError): 's3cret'",
    ],
    "aws": [
        'Unable to locate credentials. You can configure credentials by running "aws configure".',
        "The SSO session associated with this profile has expired or is otherwise invalid.",
        "LoginRefreshRequired: Your session has expired. s3cret",
        "The config profile (s3cret) could not be found",
        "An error occurred (ExpiredTokenException) when calling the GetAuthorizationToken operation: s3cret",
        "An error occurred (AccessDeniedException) when calling the GetAuthorizationToken operation: s3cret",
        "An error occurred (ThrottlingException) when calling the GetAuthorizationToken operation: s3cret",
        'Missing Dependency: You will need to pip install "botocore[crt]" before proceeding.',  # aws-cli#9949
        "Could not connect to the endpoint URL: s3cret",
        "aws: error: argument operation: s3cret",
    ],
    "jf": [
        "[Error] no JFrog servers configured.",
        "[Error] Server ID 'acme' does not exist.",
        "[Error] server response: 401 Unauthorized s3cret",
        "[Error] Token failed verification: expired",
        "[Error] server response: 403 Forbidden",
        "dial tcp: lookup acme.jfrog.io: no such host",
        "tls: failed to verify certificate: x509: certificate signed by unknown authority",
        "[Error] server response: 404 Not Found s3cret",
        "Incorrect Usage: flag provided but not defined: -expiry",
        "panic: s3cret",
    ],
    "command": [
        "",
        "s3cret",
        "usage: s3cret",
        "Traceback",
        "401",
        "\x1b[31mno",
        "{}",
        "x" * 999,
        "null",
        "timeout",
    ],
}
"""Exit code 1 and these words on stderr."""


@pytest.fixture
def answered(
    tools: ProviderContext, workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Awaitable[Bearer | Credential]]:
    """Asks the tool of that name; a tool that was skipped is silent, and an assertion."""
    monkeypatch.setattr(codeartifact, "is_importable", lambda _: False)
    monkeypatch.setattr(google, "is_importable", lambda _: False)
    for name in ("AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS"):
        workshop.environ.pop(name, None)
    ways: dict[str, Callable[[dict[str, str]], Identity]] = {
        "az": AzureCli,
        "azd": AzureDeveloperCli,
        "ado-auth-helper": AdoAuthHelper,
    }

    async def ask(name: str) -> Bearer | Credential:
        if name in ways:
            bearer = await ways[name](workshop.environ).bearer(TENANT)
            assert not isinstance(bearer, Skipped)
            return bearer
        make, url, keys = PROVIDERS[name]
        provider = make(tools)
        return await provider.obtain(feed_of(provider, url, keys), READ)

    return ask


@pytest.fixture
def asked(answered: Callable[[str], Awaitable[Bearer | Credential]]) -> Callable[[str], Awaitable[str]]:
    """The token that the tool of that name gives."""

    async def ask(name: str) -> str:
        found = await answered(name)
        return (found.token if isinstance(found, Bearer) else found.secret).reveal()

    return ask


@pytest.fixture
def ended(
    answered: Callable[[str], Awaitable[Bearer | Credential]],
) -> Callable[[str], Awaitable[datetime | None]]:
    """The end of the token that the tool of that name gives."""

    async def ask(name: str) -> datetime | None:
        return (await answered(name)).expires_at

    return ask


def install(workshop: Workshop, tool: str, output: str, complaint: str = "", code: int = 0) -> None:
    """Have the tool print that; the text may have bytes that a script's own quoting would change."""
    printed, said = workshop.home / "printed", workshop.home / "said"
    printed.write_text(output, encoding="utf-8", newline="")
    said.write_text(complaint, encoding="utf-8")
    body = f"cat {printed}; cat {said} >&2; exit {code}"
    if tool == "ado-auth-helper":
        workshop.file(tool, f"#!/bin/sh\n{body}\n", mode=0o700)
    else:
        workshop.script(COMMAND if tool == "command" else tool, body)


def typed(hint: str, workshop: Workshop) -> subprocess.CompletedProcess[str]:
    """Type the hint into a shell."""
    shell = ["/bin/sh", "-c", hint]
    return subprocess.run(shell, env=workshop.environ, capture_output=True, text=True, check=False)


def assert_line_repeats(tool: str, hint: str | None, workshop: Workshop) -> None:
    """The hint runs the tool once more, and shows no token of one that has no option to leave it out."""
    done = typed(hint or "", workshop)

    printed = (workshop.home / "printed").read_text(encoding="utf-8")
    assert (hint is not None, done.stdout.split()[:1]) == (True, printed.split()[:1])
    assert tool not in PIPED or TOKEN[:40] not in done.stdout


PIPED = {"azd", "jf", "ado-auth-helper"}
"""Of these a program behind them takes the token out."""


@pytest.mark.parametrize("noise", NOISE)
@pytest.mark.parametrize("tool", ANSWERS)
async def test_a_noisy_answer_is_served(
    tool: str, noise: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, NOISE[noise](ANSWERS[tool]))

    assert await asked(tool) == TOKEN


@pytest.mark.parametrize("nothing", NOTHING)
@pytest.mark.parametrize("tool", ANSWERS)
async def test_an_answer_without_one_token_is_told_by_its_shape(
    tool: str, nothing: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, NOTHING[nothing])

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    told = raised.value.detail
    assert "something else than a token: " in told or "printed no credential: " in told
    assert told.isprintable()
    assert not [secret for secret in ("s3cret", "Fetching", "Sign in", TOKEN[:40]) if secret in told]
    assert_line_repeats(tool, raised.value.hint, workshop)


ENDED = {"gcloud": "token_expiry", "aws": "expiration"}
OWN_END = {"az": "expires_on", "azd": "expiresOn"}
"""Their tokens are JWTs, which have an end of their own: what is told beside it need not be read."""
ODD_ENDS: list[object] = ["soon", {}, [], "9" * 400, 1e400]


def renamed(tool: str, key: str, value: object) -> str:
    """The tool's answer with another end in it."""
    answer = json.loads(ANSWERS[tool])
    (answer["credential"] if tool == "gcloud" else answer)[key] = value
    return json.dumps(answer)


@pytest.mark.parametrize("end", ODD_ENDS, ids=range(5))
@pytest.mark.parametrize(("tool", "key"), OWN_END.items())
async def test_a_token_that_says_its_end_itself_is_served_whatever_is_told_beside_it(
    tool: str, key: str, end: object, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, renamed(tool, key, end))

    assert await asked(tool) == TOKEN


@pytest.mark.parametrize("end", ODD_ENDS, ids=range(5))
@pytest.mark.parametrize(("tool", "key"), ENDED.items())
async def test_an_end_that_cannot_be_read_is_told(
    tool: str, key: str, end: object, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, renamed(tool, key, end))

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    assert raised.value.detail.isprintable()
    assert TOKEN[:40] not in raised.value.detail


@pytest.mark.parametrize("tool", ANSWERS)
async def test_a_tool_in_the_encoding_of_windows_is_told(
    tool: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    """UTF-16, as `>` of PowerShell 5 writes it."""
    install(workshop, tool, "")
    (workshop.home / "printed").write_bytes(ANSWERS[tool].encode("utf-16"))

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    assert "something else than a token" in raised.value.detail or "no credential" in raised.value.detail
    assert raised.value.detail.isprintable()
    assert TOKEN[:40] not in raised.value.detail


@pytest.mark.parametrize("tool", ANSWERS)
@pytest.mark.parametrize(
    "body",
    [
        "kill -SEGV $$",
        "yes s3cret | head -c 100000000",
        "tr '\\0' x < /dev/zero",
        "yes s3cret >&2",
        "kill -KILL $$",
    ],
    ids=["a crash", "100 MB", "one endless line", "endless complaints", "killed"],
)
async def test_a_tool_that_goes_wrong_is_told(
    tool: str, body: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, "")
    name = COMMAND if tool == "command" else tool
    place = workshop.home if tool == "ado-auth-helper" else workshop.folder
    (place / name).write_text(f"#!/bin/sh\n{body}\n")

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    assert raised.value.detail.isprintable()
    assert "s3cret" not in raised.value.detail
    assert PurePath(shlex.split(raised.value.hint or "")[0]).name == name


@pytest.mark.parametrize("broken", BROKEN)
@pytest.mark.parametrize("tool", ANSWERS)
async def test_a_tool_that_is_there_and_cannot_be_run_is_told_with_the_cause(
    tool: str, broken: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    name = COMMAND if tool == "command" else tool
    place = workshop.home if tool == "ado-auth-helper" else workshop.folder
    workshop.environ["PATH"] = str(workshop.folder)  # no other of that name
    make, cause = BROKEN[broken]
    make(place / name)

    with pytest.raises(Refused, match=cause) as raised:
        await asked(tool)

    assert f"{name} cannot be run: " in raised.value.detail
    if broken != "empty":  # which a shell takes for a script of nothing
        assert typed(raised.value.hint or "", workshop).stderr != ""


@pytest.mark.parametrize("tool", ANSWERS)
async def test_a_token_beside_a_failure_or_on_stderr_is_not_served(
    tool: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    for output, complaint, code in ((ANSWERS[tool], "", 1), ("", ANSWERS[tool], 0), ("", ANSWERS[tool], 1)):
        install(workshop, tool, output, complaint, code)

        with pytest.raises(NotObtained) as raised:
            await asked(tool)

        assert raised.value.detail.isprintable()
        assert TOKEN[:40] not in f"{raised.value.detail} {raised.value.hint}"


QUOTED = {"double": '"{}"', "single": "'{}'", "double, and a line end": '"{}"\n', "escaped": '"{}\\n"'}


@pytest.mark.parametrize("quotes", QUOTED)
@pytest.mark.parametrize("token", [TOKEN, "s3cret-that-is-no-jwt"], ids=["JWT", "opaque"])
@pytest.mark.parametrize("tool", ["command", "ado-auth-helper"])
async def test_the_quotes_around_a_token_are_not_part_of_it(
    tool: str, token: str, quotes: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    """As `--query accessToken` of az prints it, where `--output tsv` was forgotten."""
    install(workshop, tool, QUOTED[quotes].format(token))

    assert await asked(tool) == token


UNENDING = jwt(tid=TENANT, upn="dev@acme.example", scp="user_impersonation", marks="s3cret")
"""A token that does not say its end: what the tool prints beside it counts alone."""
KEYS = {"az": "expires_on", "azd": "expiresOn", **ENDED, "command": "expires_at", "jf": "expires_in"}
ENDS: dict[str, tuple[tuple[str, ...], object]] = {
    "Z": (("azd", "gcloud", "aws", "command"), "2099-01-01T00:00:00Z"),
    "an offset": (("azd", "gcloud", "aws", "command"), "2099-01-01T02:00:00+02:00"),
    "an offset without a colon": (("azd", "gcloud", "aws", "command"), "2098-12-31T19:00:00-0500"),
    "fractions, as .NET": (("azd", "gcloud", "aws", "command"), "2099-01-01T00:00:00.0000000Z"),
    "fractions, as Go": (("azd", "gcloud", "aws", "command"), "2099-01-01T00:00:00.000000001Z"),
    "a blank for the T": (("azd", "gcloud", "aws", "command"), "2099-01-01 00:00:00+00:00"),
    "seconds": (("az", "gcloud", "aws", "command"), 4070908800),
    "seconds as text": (("az", "gcloud", "aws", "command"), "4070908800"),
    "seconds with fractions": (("az", "gcloud", "aws", "command"), 4070908800.0),
}


@pytest.mark.parametrize(
    ("tool", "form"), [(tool, form) for form, (tools, _) in ENDS.items() for tool in tools]
)
async def test_an_end_is_read_in_each_form_that_its_tools_have(
    tool: str, form: str, ended: Callable[[str], Awaitable[datetime | None]], workshop: Workshop
) -> None:
    install(workshop, tool, renamed(tool, KEYS[tool], ENDS[form][1]).replace(TOKEN, UNENDING))

    assert await ended(tool) == datetime(2099, 1, 1, tzinfo=UTC)


PAST: dict[str, object] = {
    "az": 1000000000,
    "azd": "2001-09-09T01:46:40Z",
    "gcloud": "2001-09-09T01:46:40Z",
    "aws": 1000000000.5,
    "command": "1000000000",
}


@pytest.mark.parametrize("tool", PAST)
async def test_a_token_whose_end_is_over_is_not_taken_for_an_endless_one(
    tool: str, ended: Callable[[str], Awaitable[datetime | None]], workshop: Workshop
) -> None:
    """The keeper tells of it and hands out nothing (tests/core/test_refresh.py)."""
    install(workshop, tool, renamed(tool, KEYS[tool], PAST[tool]))

    ends = await ended(tool)

    assert ends is not None
    assert ends.year == 2001


LIVES: dict[str, tuple[object, float | None]] = {
    "a number": (3600, 3600),
    "text": ("3600", 3600),
    "with fractions": (3600.5, 3600.5),
    "none": (None, None),
}


@pytest.mark.parametrize("life", LIVES)
@pytest.mark.parametrize("tool", ["command", "jf"])
async def test_a_life_in_seconds_is_read_in_each_form(
    tool: str, life: str, ended: Callable[[str], Awaitable[datetime | None]], workshop: Workshop
) -> None:
    told, seconds = LIVES[life]
    install(workshop, tool, renamed(tool, "expires_in", told).replace(TOKEN, UNENDING))

    ends = await ended(tool)

    assert ends == (None if seconds is None else NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("life", [-1, "-1", 1e400, 10**30, "soon", True, [], {}], ids=range(8))
@pytest.mark.parametrize("tool", ["command", "jf"])
async def test_a_life_that_cannot_be_read_is_told(
    tool: str, life: object, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, renamed(tool, "expires_in", life))

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    assert raised.value.detail.isprintable()
    assert TOKEN[:40] not in raised.value.detail


SPECIAL = {
    "a crash in Python": "Traceback (most recent call last):\n  s3cret\nMemoryError",
    "another language": "エラー: s3cret は無効です",
    "a panic in Go": "panic: runtime error: s3cret\n\ngoroutine 1 [running]:",
    "a full disk": "OSError: [Errno 28] No space left on device: 's3cret'",
}


def test_each_tool_has_ten_noises_and_ten_failures() -> None:
    assert min(len(FAILURES[tool]) for tool in ANSWERS) >= 10
    assert len(NOISE) >= 10
    assert set(FAILURES) == set(ANSWERS)


@pytest.mark.parametrize("special", SPECIAL)
@pytest.mark.parametrize("tool", ANSWERS)
async def test_words_of_no_vendors_own_are_told_without_themselves(
    tool: str, special: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, "", SPECIAL[special], code=1)

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    assert raised.value.detail.isprintable()
    assert "s3cret" not in f"{raised.value.detail} {raised.value.hint}"


@pytest.mark.parametrize(
    ("tool", "number"), [(tool, number) for tool, words in FAILURES.items() for number in range(len(words))]
)
async def test_a_failure_is_told_with_what_to_type(
    tool: str, number: int, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    install(workshop, tool, "", FAILURES[tool][number], code=1)

    with pytest.raises(NotObtained) as raised:
        await asked(tool)

    failure = raised.value
    assert failure.detail.isprintable()
    assert "s3cret" not in f"{failure.detail} {failure.hint}"
    assert failure.hint or isinstance(failure, Refused)


@pytest.mark.parametrize("tool", ["az", "azd", "gcloud", "aws"])
async def test_a_failure_that_is_not_known_is_repeated_by_its_hint_without_showing_a_token(
    tool: str, asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    told = workshop.home / "told"
    workshop.script(tool, f'printf "%s\\n" "$@" > {told}; echo "s3cret words" >&2; exit 1')
    with pytest.raises(NotObtained) as raised:
        await asked(tool)
    first = told.read_text().splitlines()
    hint = raised.value.hint or ""

    done = typed(hint, workshop)

    again = told.read_text().splitlines()
    assert "s3cret words" in done.stderr
    assert [word for word in first if not word.startswith("--format=")] == [
        word for word in again[: len(first)] if not word.startswith("--format=")
    ]
    assert "--query" in again or "azd" in hint or "--format=value(credential.token_expiry)" in again
    assert shlex.split(hint)[0] == tool


async def test_the_hint_of_azd_hides_the_token_where_it_works_again(
    asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    workshop.script("azd", "exit 7")
    with pytest.raises(NotObtained) as raised:
        await asked("azd")
    for answer in (ANSWERS["azd"], json.dumps(json.loads(ANSWERS["azd"]), indent=2)):
        install(workshop, "azd", answer)

        done = typed(raised.value.hint or "", workshop)

        assert (done.returncode, TOKEN in done.stdout) == (0, False)


REPAIRS = {
    *(
        "az login",
        "az account",
        "az ad",
        "azd auth",
        "aws sso",
        "aws login",
        "aws configure",
        "aws codeartifact",
    ),
    *("gcloud auth", "gcloud config", "pip install", "brokerctl doctor"),
    *("jf config", "jf atc"),
}
"""Every line that the failures above tell people to type, by its first two words; `rm -f` goes before one."""


async def test_every_hint_is_a_line_that_a_shell_runs(
    asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    hints: dict[str, None] = {}
    for tool, complaints in FAILURES.items():
        for complaint in complaints:
            install(workshop, tool, "", complaint, code=1)
            with pytest.raises(NotObtained) as raised:
                await asked(tool)
            hints |= {raised.value.hint: None} if raised.value.hint else {}
    ran = workshop.home / "ran"
    for stub in ("az", "azd", "aws", "gcloud", "jf", "pip", "brokerctl"):
        workshop.script(stub, f'echo "{stub} $*" >> {ran}; echo expires_in')

    own = [hint for hint in hints if hint.startswith("/")]
    assert [typed(hint, workshop).stderr for hint in own] == ["timeout"] * 2, "it repeats the failure"
    hints = {hint: None for hint in hints if hint not in own}

    codes = {hint: typed(hint, workshop).returncode for hint in hints}

    assert codes == dict.fromkeys(hints, 0)
    lines = ran.read_text().splitlines()
    assert len(lines) == len(hints)
    assert {" ".join(line.split()[:2]) for line in lines} == REPAIRS


IDENTITY = """case "$*" in *--tenant*)
echo "ERROR: Tenant shouldn't be specified for managed identity account" >&2; exit 1;;
esac"""


async def test_az_signed_in_as_the_machine_is_asked_once_more_without_the_tenant(
    asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    """azure-cli#26775."""
    workshop.script("az", f"{IDENTITY}\nprintf %s {shlex.quote(ANSWERS['az'])}")

    assert await asked("az") == TOKEN


async def test_the_identity_of_another_tenant_is_told(
    asked: Callable[[str], Awaitable[str]], workshop: Workshop
) -> None:
    answer = json.dumps({"accessToken": jwt(tid="another", idtyp="app")})
    workshop.script("az", f"{IDENTITY}\nprintf %s {shlex.quote(answer)}")

    with pytest.raises(NotObtained, match=f"identity of another, and .* is of tenant {TENANT}") as raised:
        await asked("az")

    assert raised.value.hint == f"az login --tenant {TENANT}"
