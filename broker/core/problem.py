"""A failure as an RFC 9457 problem, for the server and the API alike.

The one table from failure to status and slug (CONTRACT section 4); brokerctl has the one to exit codes.
"""

from typing import NamedTuple

from broker.core import failures

MEDIA_TYPE = "application/problem+json"


class ProblemType(NamedTuple):
    """A problem's status code, its `type` and its title."""

    status: int
    slug: str
    title: str


PROBLEM_TYPES: dict[type[failures.Failure], ProblemType] = {
    failures.BadRequest: ProblemType(400, "bad-request", "the request makes no sense"),
    failures.SignInNeeded: ProblemType(401, "sign-in-needed", "a person must sign in"),
    failures.NotAllowed: ProblemType(403, "not-allowed", "this user may not use this feed"),
    failures.NoFeed: ProblemType(404, "no-feed", "no feed answers this request"),
    failures.AmbiguousHost: ProblemType(409, "ambiguous", "several feeds share this host"),
    failures.BadConfiguration: ProblemType(500, "bad-configuration", "the configuration is broken"),
    failures.Refused: ProblemType(502, "refused", "the service said no"),
    failures.Unavailable: ProblemType(503, "unavailable", "the service cannot be reached"),
}
"""By failure; a subclass goes by its parent's row."""


def problem_type(failure: failures.Failure) -> ProblemType:
    """The row of the failure's class or of its nearest parent."""
    return next(PROBLEM_TYPES[kind] for kind in type(failure).__mro__ if kind in PROBLEM_TYPES)


def problem_json(
    failure: failures.Failure, *, feed: str | None = None, status: int | None = None
) -> dict[str, str | int | None]:
    """The problem's members as JSON values.

    `status` overrides the table's, for requests where the same failure means something else.
    """
    kind = problem_type(failure)
    return {
        "type": kind.slug,
        "title": kind.title,
        "status": status or kind.status,
        "detail": failure.detail,
        "hint": failure.hint,
        "feed": feed,
    }
