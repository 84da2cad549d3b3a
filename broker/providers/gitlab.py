"""`gitlab`: project and group feeds of gitlab.com or of a GitLab of one's own.

The token is kept elsewhere: a configured secret, or in a CI job the job's own, which goes to the
job's server and nowhere else. A personal, project or group access token is asked when it ends.
"""

import json
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import ClassVar

from broker.core import secret_source
from broker.core.credential import Credential, Secret
from broker.core.failures import BadRequest, NoSource, SignInNeeded
from broker.core.feeds import DEFAULT_IDENTITY, Feed, Recognise, Recognised
from broker.core.urls import Origin, Service, Url, parse_url
from broker.host.http import Request, Response
from broker.host.http_errors import Unreachable
from broker.host.lookup_trace import trace_step
from broker.providers import protocol, secret_reader
from broker.providers.expiry import earliest
from broker.providers.recognise.gitlab_addresses import GITLAB_API, gitlab_at
from broker.providers.static_login import Place, Username, login, no_secret

JOB_USERNAME = "gitlab-ci-token"
JOB_TOKEN = "CI_JOB_TOKEN"  # noqa: S105 - a variable's name
"""GitLab's "CI/CD job token" page. The token is good until the job ends, at a time that is not known
before.
"""

TOKEN_PREFIX = "glpat-"  # noqa: S105 - the prefix of personal, project and group access tokens
OTHER_PREFIXES = ("gldt-", "glcbt-")
"""Deploy tokens and job tokens ("Token overview"), which the API tells nothing of."""

SELF = ("personal_access_tokens", "self")
TOKEN_PAGE = "-/user_settings/personal_access_tokens"  # noqa: S105 - a page's path

PAGE_PROJECTS = 100
PAGES_MAX = 10
PAGE_BYTES = 1 << 20
PROJECTS = f"projects?include_subgroups=true&simple=true&per_page={PAGE_PROJECTS}&page="
"""A thousand projects of a group are looked at, about a kB each; others need an address of their own."""

OK = 200
UNAUTHORISED = 401


class GitLabSettings(protocol.Settings):
    """`secret` is where the token is; without one a CI job's own token is taken.

    `username` is a deploy token's, which needs its own; other tokens go with any.
    """

    username: Username | None = None
    secret: Place | None = None


class GitLabProvider:
    """Reads the configured token at each renewal, and asks GitLab when it ends."""

    name: ClassVar[str] = "gitlab"
    settings: ClassVar[type[protocol.Settings]] = GitLabSettings

    _groups: ClassVar[dict[Url, Url]] = {}
    """By the address of a project's packages, or of its group's other spelling, that of the group feed whose
    token lists it. Of the class: a reload makes a new provider and keeps the tokens.
    """

    def __init__(self, tools: protocol.ProviderContext) -> None:
        self._http = tools.http
        self._environ = tools.environ

    def identity(self, settings: protocol.Settings) -> str:
        """The username and where the token is; the default for the job's own."""
        own = _own(settings)
        if own.secret is None:
            return own.username or DEFAULT_IDENTITY
        return f"{own.username or ''} {secret_source.spell(own.secret)}".strip()

    def kind(self, settings: protocol.Settings) -> str:
        """`job` for the job's own token, else `token`."""
        return "job" if _own(settings).secret is None else "token"

    def username(self, settings: protocol.Settings) -> str | None:
        """The configured one, or the job token's own; None where the server ignores it."""
        own = _own(settings)
        return own.username or (JOB_USERNAME if own.secret is None else None)

    def sign_in_fingerprint(self, feed: Feed) -> Hashable:
        """What changes when the secret was replaced."""
        source = _own(feed.settings).secret
        return (
            hash(self._environ.get(JOB_TOKEN))
            if source is None
            else secret_reader.fingerprint(source, self._environ)
        )

    def recogniser(self, feeds: Sequence[Feed]) -> Recognise:
        """Packages on the job's server and on the servers of the configured feeds.

        File links carry a project's number, whatever the feed's address names (astral-sh/uv#14291).
        """
        servers: defaultdict[Origin, list[Url]] = defaultdict(list)
        for api in dict.fromkeys((job_api(self._environ), *(api_of(feed.url) for feed in feeds))):
            if api is not None:
                servers[api.origin].append(api)

        def recognise(service: Service) -> Recognised | None:
            here = servers.get(service.origin, ()) if isinstance(service, Url) else ()
            found = next(filter(None, (gitlab_at(api, service) for api in here)), None)
            return None if found is None else replace(found, stands_for=self._groups.get(found.prefixes[0]))

        return recognise

    def brings_secret(self, url: Url) -> bool:
        """True on the server whose job this is."""
        server = job_api(self._environ)
        return server is not None and server.covers(url)

    async def obtain(self, feed: Feed, scope: str) -> Credential:  # noqa: ARG002 - GitLab's tokens have their own
        """Read the token.

        Raises NoSource without a secret, except in a job of this very server; what `secret_reader.read`
        raises; and SignInNeeded for a token that GitLab says is dead. When GitLab cannot be asked, its end
        stays unknown.
        """
        own = _own(feed.settings)
        if own.secret is None:
            return self._job_token(feed)
        found = await secret_reader.read(
            own.secret, host=feed.url.origin.host, username=own.username, environ=self._environ
        )
        told = await self._told_of(feed.url, found.secret, own.username)
        place, page = secret_source.shown(own.secret), f"{_server(feed.url)}{TOKEN_PAGE}"
        if told.get("active") is False:
            raise SignInNeeded(
                f"the token from {place} has expired or was revoked: make another at {page}",
                hint=secret_reader.replacing(own.secret),
                drops_token=True,
            )
        if told:
            await self._learn_group(feed.url, found.secret)
        name, ends = told.get("name"), midnight(told.get("expires_at"))
        trace_step(
            "token", f"GitLab says that it ends {ends:%Y-%m-%d}" if ends else "nobody says when it ends"
        )
        credential = login(found, own.secret, own.username)
        return replace(
            credential,
            expires_at=earliest(found.expires_at, ends),
            account=name if isinstance(name, str) and name.isprintable() else credential.account,
            is_personal=False,  # GitLab does not look at a token's user name
            manual_renewal=credential.manual_renewal and f"make another at {page} and put it into {place}",
        )

    def _job_token(self, feed: Feed) -> Credential:
        server = job_api(self._environ)
        if server is None or not self._environ.get(JOB_TOKEN):
            raise no_secret("token", feed)
        if not server.covers(feed.url):
            raise NoSource(f"this job is of {server.origin}: its token is not for {feed.url.origin}")
        token = secret_reader.from_env(JOB_TOKEN, self._environ).secret
        return Credential(JOB_USERNAME, token, None, f"env:{JOB_TOKEN}")

    async def _learn_group(self, url: Url, token: Secret) -> None:
        """Note the group's other spelling and its projects, so that addresses under either are its own.

        It matters where one server has feeds with different tokens. What cannot be asked stays unknown.
        """
        api = api_of(url)
        if api is None or url.segments[len(api.segments) :][:1] != ("groups",):
            return
        group = Url(url.origin, url.segments[: len(api.segments) + 2])
        try:
            about = read_told(await self._asked(f"{str(group).rstrip('/')}?with_projects=false", token))
            for spelling in (about.get("id"), about.get("full_path")):
                if spelling and "/" not in str(spelling):  # no address has a subgroup's path in it
                    self._learn(api, url, "groups", str(spelling), "-")
            for page in range(1, PAGES_MAX + 1):
                numbers = read_projects(await self._asked(f"{group}{PROJECTS}{page}", token))
                for number in numbers:
                    self._learn(api, url, "projects", str(number))
                if len(numbers) < PAGE_PROJECTS:
                    return
        except Unreachable:
            return

    def _learn(self, api: Url, url: Url, *place: str) -> None:
        self._groups[Url(api.origin, (*api.segments, *place, "packages", "pypi"))] = url

    async def _told_of(self, url: Url, token: Secret, username: str | None) -> Mapping[str, object]:
        """What GitLab says of the token; nothing for one of another kind, or when it cannot be asked.

        A GitLab may have a prefix of its own for access tokens, or none: what has no prefix of another kind,
        nor a user name that it needs, may be one; a 401 does not mean then that it is dead.
        """
        api, text = api_of(url), token.reveal()
        is_sure = text.startswith(TOKEN_PREFIX)
        if api is None or not (is_sure or (username is None and not text.startswith(OTHER_PREFIXES))):
            return {}
        try:
            told = read_told(
                await self._asked(str(Url(api.origin, (*api.segments, *SELF))).rstrip("/"), token)
            )
        except Unreachable:
            return {}
        return told if is_sure or told.get("active") is True else {}

    async def _asked(self, url: str, token: Secret) -> Response:
        request = Request("GET", url, (("PRIVATE-TOKEN", token.reveal()),))
        return await self._http.send(request, body_bytes=PAGE_BYTES)


def read_told(response: Response) -> Mapping[str, object]:
    """GitLab's answer about a token: its table, `{"active": False}` for a dead one, nothing when unsure."""
    if response.status == UNAUTHORISED:
        return {"active": False}
    try:
        told = json.loads(response.body) if response.status == OK else {}
    except (ValueError, RecursionError):
        told = {}
    return told if isinstance(told, Mapping) else {}


def read_projects(response: Response) -> list[int]:
    """The numbers of the projects on a page of GitLab's list; none when it did not answer with one."""
    try:
        listed = json.loads(response.body) if response.status == OK else []
    except (ValueError, RecursionError):
        listed = []
    entries = listed if isinstance(listed, list) else []
    numbers = (entry.get("id") for entry in entries if isinstance(entry, Mapping))
    return [number for number in numbers if isinstance(number, int)]


def midnight(day: object) -> datetime | None:
    """When a token with this `expires_at` ends: as the day begins, in UTC (GitLab's tokens page)."""
    try:
        return datetime.combine(date.fromisoformat(day if isinstance(day, str) else ""), time.min, UTC)
    except ValueError:
        return None


def api_of(url: Url) -> Url | None:
    """The API that a feed's address lies below, or None when it is no GitLab address."""
    for end in range(len(GITLAB_API), len(url.segments) + 1):
        if url.segments[end - len(GITLAB_API) : end] == GITLAB_API:
            return Url(url.origin, url.segments[:end])
    return None


def job_api(environ: Mapping[str, str]) -> Url | None:
    """The API of the server whose CI job this is, or None outside of one (GitLab's predefined variables)."""
    if not environ.get("GITLAB_CI"):
        return None
    try:
        return api_of(parse_url(environ.get("CI_API_V4_URL", "")))
    except BadRequest:
        return None


def _server(url: Url) -> Url:
    """The root of the installation, which may lie under a relative URL."""
    api = api_of(url) or url
    return Url(api.origin, api.segments[: -len(GITLAB_API)])


def _own(settings: object) -> GitLabSettings:
    if not isinstance(settings, GitLabSettings):
        raise TypeError("these settings belong to another provider")
    return settings
