"""`google`: Artifact Registry feeds. The sign-in on this machine gives a token for every location.

Nothing is kept between look-ups. Read `GoogleProvider.obtain`; `google_auth_child.py` is the child that it
runs.
"""

import base64
import binascii
import json
import re
import shlex
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

from pydantic import AfterValidator, model_validator

from broker.core import secret_source
from broker.core.credential import Credential, Secret
from broker.core.failures import NoSource, Refused, SignInNeeded
from broker.core.feeds import DEFAULT_IDENTITY, Feed
from broker.host.file_stamp import file_stamp
from broker.host.lookup_trace import trace_step
from broker.providers import protocol, secret_reader
from broker.providers.google.google_auth_child import METADATA
from broker.providers.google.google_errors import failure_of
from broker.providers.home import expand
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.static_login import Place
from broker.providers.vendor_tool import (
    ask_tool,
    is_importable,
    is_on_path,
    printed_token,
    sdk_argv,
    variables_fingerprint,
)

TOKEN_USERNAME = "oauth2accesstoken"  # noqa: S105 - a name, not a secret
KEY_USERNAME = "_json_key_base64"
"""What Artifact Registry calls the two kinds of password (its Python "set up authentication" page)."""

TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"  # noqa: S105 - a variable's name
"""Names a file whose token gcloud prints as it is, without an end (gcloud 528)."""

ENCODE = "base64 < KEY.json | tr -d '\\n'"
"""What makes such a password of a key."""

SDK = ("google.auth", "requests")
"""google-auth, and what its way out is made of."""

QUIET = {
    "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
    "CLOUDSDK_CORE_DISABLE_FILE_LOGGING": "1",  # its log files would hold what it was asked
    "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1",
}

MIN_EXPIRY = "30m"
"""gcloud hands out what it has cached; with less left than this it asks for a new token."""

_ON_GOOGLE = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "K_SERVICE", "CLOUD_RUN_JOB")
"""Variables of a machine with a metadata server: google-auth's own, and Cloud Run's container contract."""

PRODUCT = Path("/sys/class/dmi/id/product_name")
"""Says `Google Compute Engine` on such a machine (google-auth, `detect_gce_residency_linux`)."""

_ACCOUNT = re.compile(r"[^\s@:/]+@[^\s@:/]+\.[^\s@:/]+")


def _account(text: str) -> str:
    if not _ACCOUNT.fullmatch(text) or not text.isascii() or text.startswith("-"):
        raise ValueError("an account is written as its e-mail address")
    return text


def _path(text: str) -> str:
    if not text.startswith(("/", "~/")) or not text.isprintable():
        raise ValueError("credentials is an absolute path or one that begins with ~/")
    return text


class GoogleSettings(protocol.Settings):
    """Who signs in, where it is not the default: a credentials file, one of gcloud's accounts, or neither.

    `impersonate` is the service account to act as. `secret` instead of all three is where a service
    account's key is, in base64: a password that never ends by itself. `username` may say which of the
    two it is, as Google's "set up authentication" page does.
    """

    credentials: Annotated[str, AfterValidator(_path)] | None = None
    account: Annotated[str, AfterValidator(_account)] | None = None
    impersonate: Annotated[str, AfterValidator(_account)] | None = None
    secret: Place | None = None
    username: Literal["_json_key_base64", "oauth2accesstoken"] | None = None

    @model_validator(mode="after")
    def _one_identity(self) -> Self:
        if self.secret is not None and (self.credentials or self.account or self.impersonate):
            raise ValueError(
                "a key in secret signs in by itself: leave out credentials, account, impersonate"
            )
        if self.username is not None and (self.username == KEY_USERNAME) != (self.secret is not None):
            raise ValueError(
                f"username {KEY_USERNAME} goes with a key in secret, {TOKEN_USERNAME} without one"
            )
        if self.credentials is not None and self.account is not None:
            raise ValueError(
                "credentials is a file's identity and account one of gcloud's: write one of them"
            )
        return self


class _SignInMethod(NamedTuple):
    """A sign-in method available here: what to run for it, what a person types to renew it, and what
    repeats it without showing a token.
    """

    name: str
    argv: tuple[str, ...]
    login: str | None
    repeat: str | None = None


class GoogleProvider:
    """Signs in by application-default credentials, by gcloud, or as the machine; or answers a key."""

    name: ClassVar[str] = "google"
    settings: ClassVar[type[protocol.Settings]] = GoogleSettings

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._environ = tools.environ
        self._ca = tools.http.ca

    def identity(self, settings: protocol.Settings) -> str:
        """What the settings say of who signs in; the default where they say nothing."""
        own = _own(settings)
        if own.secret is not None:
            return secret_source.spell(own.secret)
        parts = {"credentials": own.credentials, "account": own.account, "impersonate": own.impersonate}
        return " ".join(f"{name}={value}" for name, value in parts.items() if value) or DEFAULT_IDENTITY

    def kind(self, settings: protocol.Settings) -> str:
        """`key` for a service account's own key, else `token`."""
        return "token" if _own(settings).secret is None else "key"

    def username(self, settings: protocol.Settings) -> str | None:
        """The server tells a key by its username; beside a token any was accepted (astral-sh/uv#2822)."""
        return None if _own(settings).secret is None else KEY_USERNAME

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes with the credentials file, Google's variables, gcloud's choice of account, or the key.

        gcloud touches its sentinel for programs like us at every change of its configuration
        (`config_sentinel_file` in its `core/config.py`), and at no other time.
        """
        own = _own(feed.settings)
        if own.secret is not None:
            return secret_reader.fingerprint(own.secret, self._environ)
        gcloud = (self._gcloud / name for name in ("config_sentinel", "active_config"))
        variables = variables_fingerprint(self._environ, "CLOUDSDK_", "GOOGLE_")
        named = self._environ.get(TOKEN_FILE)
        token = (expand(named, self._environ),) if named else ()
        return (variables, *(file_stamp(path) for path in (self._adc_file(own), *gcloud, *token)))

    def sign_in_line(self, feed: Feed) -> str:
        """The command that signs the feed's account in with gcloud."""
        return _gcloud_login(_own(feed.settings))

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - a token knows no scope
        """Sign in by the first way that works.

        Raises NoSource when none is open on this machine, before anything is asked; else the first failure.
        """
        own = _own(feed.settings)
        if own.secret is not None:
            return await self._key(own.secret, feed)
        methods = self._methods(own)
        if not methods:
            raise self._no_source(own)
        first: SignInNeeded | None = None
        for method in methods:
            try:
                credential = await self._signed_in(method)
            except SignInNeeded as failure:
                trace_step("signed in", str(failure), good=False)
                first = first or failure
            else:
                trace_step(
                    "signed in", f"{method.name}: {credential.account or 'it does not say who'}", good=True
                )
                return credential
        raise first or AssertionError("every way returns or raises")

    async def _signed_in(self, method: _SignInMethod) -> Credential:
        environ = {**self._environ, **QUIET}
        finished = await ask_tool(method.name, method.argv, environ, self._ca, repeat=method.repeat)
        if finished.code != 0:
            raise failure_of(method.name, printed_text(finished.stderr), method.login, method.repeat)
        return read_answer(finished.stdout, method.name, method.repeat)

    def _methods(self, own: GoogleSettings) -> list[_SignInMethod]:
        """The methods available here, in order: a user's sign-in before the machine's identity."""
        target = () if own.impersonate is None else (own.impersonate,)
        adc, methods = self._adc_file(own), []
        has_sdk = all(map(is_importable, SDK))
        if own.account is None and has_sdk and adc.is_file():
            login = "gcloud auth application-default login" if adc == self._adc_default else None
            methods.append(_SignInMethod("google-auth", sdk_argv(_CHILD, str(adc), *target), login))
        if own.credentials is None and is_on_path("gcloud", self._environ):
            methods.append(
                _SignInMethod(
                    "gcloud", _gcloud_argv(own), _gcloud_login(own), shlex.join(_gcloud_argv(own, _ENDS))
                )
            )
        if own.credentials is None and own.account is None and has_sdk and self._is_on_google():
            methods.append(_SignInMethod("the metadata server", sdk_argv(_CHILD, METADATA, *target), None))
        return methods

    def _no_source(self, own: GoogleSettings) -> NoSource:
        if own.credentials is not None and not self._adc_file(own).is_file():
            return NoSource(f"{own.credentials} does not exist", drops_token=True)
        if own.account is not None:
            return NoSource("gcloud is not on the broker's PATH")
        if self._adc_file(own).is_file():
            return NoSource("google-auth is not installed beside the broker: its extra [google] brings it")
        hint = "gcloud auth application-default login"
        return NoSource("there are no application-default credentials and no gcloud", hint=hint)

    def _adc_file(self, own: GoogleSettings) -> Path:
        """The credentials file, as google-auth looks for it (`_default.py`)."""
        named = own.credentials or self._environ.get("GOOGLE_APPLICATION_CREDENTIALS")
        return expand(named, self._environ) if named else self._adc_default

    @property
    def _adc_default(self) -> Path:
        return self._gcloud / "application_default_credentials.json"

    @property
    def _gcloud(self) -> Path:
        return expand(self._environ.get("CLOUDSDK_CONFIG") or "~/.config/gcloud", self._environ)

    def _is_on_google(self) -> bool:
        if any(name in self._environ for name in _ON_GOOGLE):
            return True
        try:
            return PRODUCT.read_text().startswith("Google")
        except OSError:
            return False

    async def _key(self, source: secret_source.SecretSource, feed: Feed) -> Credential:
        try:
            key = await secret_reader.read(
                source, host=feed.url.origin.host, username=KEY_USERNAME, environ=self._environ
            )
        except secret_reader.Unsendable as error:  # base64(1) breaks lines after 76 characters
            raise Refused(error.detail, hint=ENCODE) from None
        return Credential(
            KEY_USERNAME,
            key.secret,
            None,
            secret_source.shown(source),
            account=account_of_key(key.secret),
            manual_renewal=secret_source.manual_renewal(source),
            replacing=secret_reader.replacing(source),
        )


_CHILD = "broker.providers.google.google_auth_child"


def read_answer(stdout: bytes, source: str, repeat: str | None = None) -> Credential:
    """The credential in the JSON of `google_auth_child.py` or of gcloud's config-helper.

    Raises what `printed_token` raises. A token without an end is taken: five-minute ones of
    workload identity (moby/buildkit#5859) always have one.
    """
    answer = printed_object(stdout, "credential", "access_token")
    told = _inner(answer, "credential") or answer
    core = _inner(answer, "configuration", "properties", "core")
    account = answer.get("account", core.get("account"))
    token = printed_token(source, stdout, told.get("access_token"), told.get("token_expiry"), repeat)
    return Credential(
        TOKEN_USERNAME,
        token.secret,
        token.expires_at,
        source,
        account=account if isinstance(account, str) and account.isprintable() else None,
        is_end_unknown=token.expires_at is None,
    )


def account_of_key(key: Secret) -> str | None:
    """Whose key it is. Raises Refused for what is no key in base64: a lost `=` at its end, for example."""
    try:
        parsed = json.loads(base64.b64decode(key.reveal(), validate=True))
    except (binascii.Error, ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, Mapping) or parsed.get("type") != "service_account":
        raise Refused("the secret is not a service account's key in base64", hint=ENCODE)
    email = parsed.get("client_email")
    return email if isinstance(email, str) and email.isprintable() else None


def _inner(table: Mapping[str, object], *names: str) -> Mapping[str, object]:
    """The table inside a table inside a table; empty where one of them is not."""
    for name in names:
        inner = table.get(name)
        table = inner if isinstance(inner, Mapping) else {}
    return table


_FIELDS = "json(credential,configuration.properties.core.account)"
_ENDS = "value(credential.token_expiry)"


def _gcloud_argv(own: GoogleSettings, fields: str = _FIELDS) -> tuple[str, ...]:
    argv = ["gcloud", "config", "config-helper", f"--format={fields}", f"--min-expiry={MIN_EXPIRY}"]
    argv += [f"--account={own.account}"] if own.account else []
    argv += [f"--impersonate-service-account={own.impersonate}"] if own.impersonate else []
    return tuple(argv)


def _gcloud_login(own: GoogleSettings) -> str:
    return f"gcloud auth login {shlex.quote(own.account)}" if own.account else "gcloud auth login"


def _own(settings: object) -> GoogleSettings:
    if not isinstance(settings, GoogleSettings):
        raise TypeError("these settings belong to another provider")
    return settings
