"""What the configuration may say of an Azure feed: who signs in, how, in what order, and for which token.

Pure. A way to sign in that `auth` names and whose keys are missing is refused here, at load, and so is a key
that no named way reads. Read `provider.py` next.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from broker.core import secret_source
from broker.core.feeds import DEFAULT_IDENTITY
from broker.providers import protocol
from broker.providers.helper_program import checked_username

DEFAULT_AUTH = (
    *("env", "workload-identity", "github-oidc", "azure-pipelines"),
    *("ado-auth-helper", "browser", "device-code", "azure-cli", "azd", "managed-identity"),
)
"""The order that is tried where nothing is configured: what a user left for us on purpose, what a CI job
brings along, what a person signed in with, and last what the machine is. Each is open only where its program,
file or variables are, so that no address is probed on a machine that has none.
"""

ASKED_FOR = ("pat", "client-secret", "client-certificate", "default")
"""Ways that only a configuration opens."""

AUTH = (*DEFAULT_AUTH, *ASKED_FOR)
"""Every way to sign in that `auth` may name."""


class _Needs(NamedTuple):
    """The keys that a way cannot do without, and those that it reads beside them."""

    needed: tuple[str, ...] = ()
    read: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return (*self.needed, *self.read)


_KEYS: Mapping[str, _Needs] = {
    "pat": _Needs(("secret",)),
    "client-secret": _Needs((), ("client_id", "secret")),
    "client-certificate": _Needs((), ("client_id", "certificate", "secret")),
    "workload-identity": _Needs((), ("client_id",)),
    "github-oidc": _Needs((), ("client_id",)),
    "azure-pipelines": _Needs((), ("client_id", "service_connection_id")),
    "managed-identity": _Needs((), ("client_id",)),
    "default": _Needs((), ("client_id",)),
}
"""Where neither is required, the way looks into the environment, too, and says there what it misses."""

_TENANT = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")


def _keys(name: str) -> _Needs:
    return _KEYS.get(name, _Needs())


def _names(auth: tuple[str, ...]) -> tuple[str, ...]:
    unknown = [name for name in auth if name not in AUTH]
    if unknown or not auth:
        asked = f"there is no sign-in {unknown[0]!r}" if unknown else "auth is empty"
        raise ValueError(f"{asked}: write some of {', '.join(AUTH)}")
    return tuple(dict.fromkeys(auth))


def _usual(keys: Mapping[str, Any]) -> tuple[str, ...]:
    """The order where `auth` says nothing: what the other keys are for, else the default one."""
    if keys.get("certificate"):
        return ("client-certificate",)
    if keys.get("service_connection_id"):
        return ("azure-pipelines",)
    if keys.get("secret"):
        return ("client-secret",) if keys.get("client_id") else ("pat",)
    return DEFAULT_AUTH


def _tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant.lower()):
        raise ValueError("a tenant is written as its id or one of its domains")
    return tenant.lower()


def _guid(text: str) -> str:
    if not _GUID.fullmatch(text):
        raise ValueError("an id is written as eight, four, four, four and twelve hexadecimal digits")
    return text.lower()


def _path(text: str) -> str:
    if not text.startswith(("/", "~/")) or not text.isprintable():
        raise ValueError("certificate is an absolute path or one that begins with ~/")
    return text


def _host(host: str) -> str:
    if not _HOST.fullmatch(host.lower()):
        raise ValueError("a host is written by its name alone, such as login.microsoftonline.us")
    return host.lower()


Guid = Annotated[str, AfterValidator(_guid)]
Hosts = tuple[Annotated[str, AfterValidator(_host)], ...]


class AzureSettings(protocol.Settings):
    """`tenant` and `account` say who signs in, where several could; `auth` how, in this order.

    `client_id`, `secret`, `certificate` (its file, with the key) and `service_connection_id` are what
    applications sign in with. `token` None gives users a session token and apps their Entra token;
    `session` and `entra` force one. `login_hosts` and `authorities` are hosts of a sovereign cloud that may
    sign in and exchange tokens beside those of the public one; the first login host is the one asked.
    """

    tenant: Annotated[str, AfterValidator(_tenant)] | None = None
    account: Annotated[str, BeforeValidator(checked_username)] | None = None
    token: Literal["session", "entra"] | None = None
    scope: Literal["read", "publish"] = "read"
    client_id: Guid | None = None
    secret: Annotated[secret_source.SecretSource, BeforeValidator(secret_source.parse)] | None = None
    certificate: Annotated[str, AfterValidator(_path)] | None = None
    service_connection_id: Guid | None = None
    login_hosts: Hosts = ()
    authorities: Hosts = ()
    auth: Annotated[tuple[str, ...], AfterValidator(_names)] = Field(default_factory=_usual)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        for name in self.auth:
            for key in _keys(name).needed:
                if getattr(self, key) is None:
                    raise ValueError(f"{name} in auth needs {key}")
        read = {key for name in self.auth for key in _keys(name).all}
        for key in ("client_id", "secret", "certificate", "service_connection_id"):
            if getattr(self, key) is not None and key not in read:
                readers = " or ".join(name for name, needs in _KEYS.items() if key in needs.all)
                raise ValueError(f"{key} is for {readers}, which auth does not name")
        takers = [name for name in self.auth if "secret" in _keys(name).all]
        if self.secret is not None and len(takers) > 1:
            raise ValueError(f"secret is of one of {' and '.join(takers)}: name one of them in auth")
        return self

    @property
    def default_scope(self) -> str:
        """The configured one."""
        return self.scope

    @property
    def identity(self) -> str:
        """Who signs in, as `Provider.identity` wants it: DEFAULT_IDENTITY where nothing is said of it."""
        said: dict[str, str | None] = {
            "tenant": self.tenant,
            "account": self.account and self.account.lower(),
            "client_id": self.client_id,
            "secret": None if self.secret is None else secret_source.spell(self.secret),
            "certificate": self.certificate,
            "service_connection_id": self.service_connection_id,
            "login_hosts": ",".join(self.login_hosts),
            "authorities": ",".join(self.authorities),
            "auth": ",".join(self.auth) if self.auth != _usual(self.model_dump()) else None,
        }
        return " ".join(f"{key}={value}" for key, value in said.items() if value) or DEFAULT_IDENTITY
