"""`codeartifact`: AWS CodeArtifact feeds. One token opens every repository of a domain.

Nothing is kept between look-ups. Read `CodeArtifactProvider.obtain`; `boto3_child.py` is the child that it
runs.
"""

import json
import shlex
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import BeforeValidator, Field, model_validator

from broker.core import secret_source
from broker.core.credential import Credential, Secret
from broker.core.duration import parse_duration
from broker.core.failures import NoSource, NotObtained, Refused, SignInNeeded
from broker.core.feeds import DEFAULT_IDENTITY, Feed, Realm
from broker.host.file_stamp import file_stamp
from broker.host.lookup_trace import trace_step
from broker.providers import protocol, secret_reader
from broker.providers.aws_errors import failure_of
from broker.providers.codeartifact.boto3_child import SESSION_NAME
from broker.providers.home import expand
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.recognise.codeartifact_addresses import codeartifact_region
from broker.providers.static_login import Place, login
from broker.providers.vendor_tool import (
    ask_tool,
    is_importable,
    is_on_path,
    no_token_in,
    printed_token,
    sdk_argv,
    variables_fingerprint,
)

USERNAME = "aws"
"""CodeArtifact's user guide, "Configure and use pip"."""

DURATION_MIN_S = 900
DURATION_MAX_S = 43200
"""GetAuthorizationToken's bounds; 0 ends the token with the role's session, and 12 h is its default."""

SDK = "boto3"

QUIET = {"AWS_PAGER": "", "AWS_CLI_AUTO_PROMPT": "off"}

_ENDS = {"codeartifact": "expiration", "sts": "Credentials.Expiration"}
"""What a repeated command of the CLI prints in place of secrets."""

CACHED_MAX = 64
"""So many files of a sign-in cache are looked at: one per session, and users have few."""

ADDRESS_KEYS = ("domain", "owner", "region")
"""What an address of AWS's own says; a VPC endpoint's says the region alone."""

_PROFILE = r"^[A-Za-z0-9_.@+=,][A-Za-z0-9_.@+=,/ -]*$"
_ROLE = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
_CHILD = "broker.providers.codeartifact.boto3_child"


def _seconds(value: object) -> int:
    seconds = parse_duration(value) if isinstance(value, str) else value
    if (
        isinstance(seconds, int | float)
        and not isinstance(seconds, bool)
        and (seconds == 0 or DURATION_MIN_S <= seconds <= DURATION_MAX_S)
    ):
        return int(seconds)
    raise ValueError('a token lives from "15m" to "12h", or "0s": as long as the role\'s session')


class CodeArtifactSettings(protocol.Settings):
    """`profile` of AWS's own files and `role` to assume say who signs in, where it is not the default.
    `secret` in place of both is where a token is that another program got (`env:CODEARTIFACT_AUTH_TOKEN`, as
    the guides of AWS and uv have a pipeline write it). `username` is `aws`, as they write it.

    `duration` is how long a token is to live. `domain`, `owner` and `region` are for an address that does not
    name them, such as a VPC endpoint's.
    """

    profile: Annotated[str, Field(pattern=_PROFILE, max_length=128)] | None = None
    role: Annotated[str, Field(pattern=_ROLE)] | None = None
    duration: Annotated[int, BeforeValidator(_seconds)] | None = None
    domain: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,48}[a-z0-9]$")] | None = None
    owner: Annotated[str, Field(pattern=r"^[0-9]{12}$")] | None = None
    region: Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]+$")] | None = None
    secret: Place | None = None
    username: Literal["aws"] | None = None

    @model_validator(mode="after")
    def _whole_address(self) -> Self:
        if (self.domain is None) != (self.owner is None) or (self.region and not self.domain):
            raise ValueError(
                "domain, owner and region belong together: write all, without region at a VPC endpoint"
            )
        if self.secret is not None and (self.profile or self.role or self.duration is not None):
            raise ValueError("a token in secret needs no sign-in: leave out profile, role and duration")
        return self


class Domain(NamedTuple):
    """What a token is good for."""

    name: str
    owner: str
    region: str


class CodeArtifactProvider:
    """Asks boto3, or where it is not installed the AWS CLI, for a domain's authorization token."""

    name: ClassVar[str] = "codeartifact"
    settings: ClassVar[type[protocol.Settings]] = CodeArtifactSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._environ = tools.environ
        self._ca = tools.http.ca

    def identity(self, settings: protocol.Settings) -> str:
        """What the settings say of who signs in, and for what; the default where they say nothing."""
        own = _own(settings)
        told = own.model_dump(exclude_none=True, exclude={"secret", "username"})
        told |= {} if own.secret is None else {"secret": secret_source.spell(own.secret)}
        return " ".join(f"{name}={value}" for name, value in told.items()) or DEFAULT_IDENTITY

    def kind(self, settings: protocol.Settings) -> str:  # noqa: ARG002 - there is one kind only
        """Always `token`."""
        return "token"

    def username(self, settings: protocol.Settings) -> str | None:  # noqa: ARG002 - the same for all
        """Always None: the token says who it is."""
        return None

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes with AWS's variables, files and keys, and by `aws sso login` or `aws login`."""
        source = _own(feed.settings).secret
        if source is not None:
            return secret_reader.fingerprint(source, self._environ)
        home = expand("~/.aws", self._environ)
        named = (("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials"))
        files = [
            expand(self._environ[variable], self._environ) if self._environ.get(variable) else home / name
            for variable, name in named
        ]
        caches = (path for folder in ("sso", "login") for path in _listed(home / folder / "cache"))
        variables = variables_fingerprint(self._environ, "AWS_")
        return (variables, *(file_stamp(path) for path in (*files, *caches)))

    def sign_in_line(self, feed: Feed) -> str:
        """The command that signs the feed's profile in to AWS."""
        profile = _own(feed.settings).profile
        return shlex.join(("aws", "sso", "login", *(("--profile", profile) if profile else ())))

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a token knows no scope
        """Ask AWS.

        Raises NoSource where no account is signed in or none could sign in, what the complaint stands for, or
        Refused for an address that names no domain.
        """
        own = _own(feed.settings)
        if own.secret is not None:
            return await self._kept(own.secret, feed)
        domain = domain_of(feed.realm, own, feed.url.origin.host)
        if is_importable(SDK):
            return await self._by_sdk(own, domain)
        if is_on_path("aws", self._environ):
            return await self._by_cli(own, domain)
        raise NoSource("neither boto3 (the broker's extra [aws]) nor the AWS CLI is on this machine")

    def unworkable(self, feed: Feed) -> protocol.Unworkable | None:
        """An address that names no domain, such as a VPC endpoint's, needs the keys that do."""
        own = _own(feed.settings)
        try:
            if own.secret is None:
                domain_of(feed.realm, own, feed.url.origin.host)
        except Refused as refused:
            needed = ("domain", "owner") if codeartifact_region(feed.url.origin.host) else ADDRESS_KEYS
            return protocol.Unworkable(
                refused.detail, tuple(key for key in needed if getattr(own, key) is None)
            )
        return None

    async def _kept(self, source: secret_source.SecretSource, feed: Feed) -> Credential:
        host = feed.url.origin.host
        found = await secret_reader.read(source, host=host, username=USERNAME, environ=self._environ)
        return login(found, source, USERNAME)

    async def _by_sdk(self, own: CodeArtifactSettings, domain: Domain) -> Credential:
        chosen = own.model_dump(include={"profile", "role", "duration"}, exclude_none=True)
        asked = {**chosen, "domain": domain.name, "owner": domain.owner, "region": domain.region}
        output = await self._asked("boto3", sdk_argv(_CHILD, json.dumps(asked)), self._environ, own)
        return _credential(output, "boto3", own, None)

    async def _by_cli(self, own: CodeArtifactSettings, domain: Domain) -> Credential:
        chosen = ("--region", domain.region, "--output", "json")
        profile = ("--profile", own.profile) if own.profile else ()
        environ: Mapping[str, str] = {**self._environ, **QUIET}
        if own.role is not None:
            named = ("--role-arn", own.role, "--role-session-name", SESSION_NAME)
            argv = ("aws", "sts", "assume-role", *named, *profile, *chosen)
            session = _session(await self._asked("aws", argv, environ, own), _repeat(argv))
            environ, profile = {**environ, **session}, ()
        named = ("--domain", domain.name, "--domain-owner", domain.owner)
        life = () if own.duration is None else ("--duration-seconds", str(own.duration))
        argv = ("aws", "codeartifact", "get-authorization-token", *named, *life, *profile, *chosen)
        return _credential(await self._asked("aws", argv, environ, own), "aws", own, _repeat(argv))

    async def _asked(
        self, way: str, argv: Sequence[str], environ: Mapping[str, str], own: CodeArtifactSettings
    ) -> bytes:
        """What it printed."""
        repeat = _repeat(argv) if way == "aws" else None
        finished = await ask_tool(way, argv, environ, self._ca, repeat=repeat)
        if finished.code != 0:
            failure = failure_of(way, printed_text(finished.stderr), own.profile, repeat)
            raise await self._told(failure)
        return finished.stdout

    async def _told(self, failure: NotObtained) -> NotObtained:
        """The failure; where the AWS CLI is here, that nobody is signed in is not a machine without AWS.

        A CLI that cannot be run is what is told then: nobody could sign in with it.
        """
        if not isinstance(failure, NoSource) or not is_on_path("aws", self._environ):
            return failure
        try:
            await ask_tool("aws", ("aws", "--version"), self._environ, repeat="aws --version")
        except Refused as broken:
            return broken
        except NotObtained:  # it is slow, or the machine is short of something
            pass
        return SignInNeeded(failure.detail, hint=failure.hint, drops_token=failure.drops_token)


def domain_of(realm: Realm, own: CodeArtifactSettings, host: str = "") -> Domain:
    """The domain that the feed's settings or its address name. Raises Refused when neither does."""
    region = own.region or codeartifact_region(host)
    if own.domain and own.owner and region:
        return Domain(own.domain, own.owner, region)
    match realm.authority.split("/"):
        case [name, owner, region] if owner.isdecimal():
            return Domain(name, owner, region)
    raise Refused(
        f"{realm.authority} does not name a CodeArtifact domain: write domain, owner and region in its feed"
    )


def _repeat(argv: Sequence[str]) -> str:
    """The line that asks the CLI the same and prints no secret."""
    return shlex.join((*argv, "--query", _ENDS[argv[1]]))


def _credential(output: bytes, way: str, own: CodeArtifactSettings, repeat: str | None) -> Credential:
    """Raises what `printed_token` raises. The token's end is AWS's own `expiration`."""
    answer = printed_object(output, "authorizationToken")
    token = printed_token(way, output, answer.get("authorizationToken"), answer.get("expiration"), repeat)
    method = answer.get("method")
    source = f"{way}:{method}" if isinstance(method, str) and method else way
    account = own.role or own.profile
    trace_step("signed in", f"{source}: {account or 'the default profile'}", good=True)
    return Credential(
        USERNAME,
        token.secret,
        token.expires_at,
        source,
        account=account,
        is_end_unknown=token.expires_at is None,
    )


def _session(output: bytes, repeat: str) -> dict[str, str]:
    """The variables of an assumed role's session, as the AWS CLI reads them; Unavailable without one."""
    told = printed_object(output, "Credentials").get("Credentials")
    variables = {
        "AWS_ACCESS_KEY_ID": "AccessKeyId",
        "AWS_SECRET_ACCESS_KEY": "SecretAccessKey",
        "AWS_SESSION_TOKEN": "SessionToken",
    }
    session = told if isinstance(told, Mapping) else {}
    try:
        # without all of them the CLI would go on as the account it had before
        return {name: Secret(session.get(key)).reveal() for name, key in variables.items()}
    except ValueError:
        raise no_token_in("aws", output, repeat) from None


def _listed(folder: Path) -> list[Path]:
    """The folder's files; none while it cannot be read."""
    try:
        return sorted(folder.iterdir())[:CACHED_MAX]
    except OSError:
        return []


def _own(settings: object) -> CodeArtifactSettings:
    if not isinstance(settings, CodeArtifactSettings):
        raise TypeError("these settings belong to another provider")
    return settings
