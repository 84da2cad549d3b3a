"""The error family: what can go wrong with a look-up, in the words of the socket API.

    Failure
    ├── BadRequest          the question itself makes no sense
    ├── NoFeed              the question belongs to no feed
    ├── AmbiguousHost       a bare host shared by feeds with different credentials
    ├── NotAllowed          the asker may not use this feed
    ├── BadConfiguration    the file the daemon started with is broken
    └── NotObtained         the feed is known, its credential cannot be had
        ├── SignInNeeded    a person must act
        │   └── NoSource    nothing on this machine could ever sign in
        ├── Refused         a service said no for good
        │   └── NotNeeded   the feed is public
        └── Unavailable     a service cannot be reached, or refuses for now

A failure carries facts; `api/problems.py` translates it to a status, `brokerctl` to an exit code.
`detail` says what failed, `hint` is a command to type, lines to add to a file (ADD_TO), or None. Neither
holds a secret or a response body.
"""

from broker.core.one_line import one_line

LOOK_ROUND = "brokerctl doctor"
"""Finds what commonly stands between a machine and a service: proxy, certificates, clock, a missing tool."""

READ_AGAIN = "brokerctl reload"
"""What to type once a configuration was corrected."""

ADD_TO = "add to "
"""How a hint begins that is no command: lines for a file, which it names first."""


def advice(hint: str) -> str:
    """The hint as the end of a line: a command after `run:`, lines for a file as they are."""
    return hint if hint.startswith(ADD_TO) else f"run: {hint}"


class Failure(Exception):  # noqa: N818 - a family of outcomes, named as the API names them
    """What failed, in one lower-case line without a full stop, and the command that helps, if one does."""

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        detail = one_line(detail)
        super().__init__(detail)
        self.detail = detail
        self.hint = hint


class BadRequest(Failure):
    """The service asked about is neither a URL nor a host that may be answered."""


class NoFeed(Failure):
    """The service belongs to no feed, or not to the username asked with."""


class AmbiguousHost(Failure):
    """A bare host is shared by feeds with different credentials, so no answer would be right."""


class NotAllowed(Failure):
    """The peer's user may not use this feed."""


class BadConfiguration(Failure):
    """The configuration cannot be used: `detail` names file and line, and what to write instead."""

    @property
    def line(self) -> str:
        """What to type: the command that makes the file usable, or else what takes the corrected one."""
        return self.hint or READ_AGAIN


class NotObtained(Failure):
    """A known feed's credential cannot be had."""


class SignInNeeded(NotObtained):
    """A person must act before the next attempt can do better.

    `drops_token`: the sign-in tool said for certain that the identity behind the held token is gone,
    so that token must not be handed out any more.
    """

    def __init__(self, detail: str, *, hint: str | None = None, drops_token: bool = False) -> None:
        super().__init__(detail, hint=hint)
        self.drops_token = drops_token


class NoSource(SignInNeeded):
    """No way to sign in exists on this machine: no tool, no token variable, no file."""


class Refused(NotObtained):
    """The identity or feed service said no for good: no permission, a bad secret, a bad challenge."""


class NotNeeded(Refused):
    """The feed is public and wants no credential: clients are sent on without one."""


class Unavailable(NotObtained):
    """The service cannot be reached or refuses for now; `retry_after_s` is its own wish, if it named one.

    Without a better hint it gives LOOK_ROUND; None is for a detail that says itself what to do.
    """

    def __init__(
        self, detail: str, *, hint: str | None = LOOK_ROUND, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail, hint=hint)
        self.retry_after_s = retry_after_s
