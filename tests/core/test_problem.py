import pytest

from broker.core import failures
from broker.core.problem import problem_json

ROWS = [
    (failures.BadRequest("why"), 400, "bad-request"),
    (failures.SignInNeeded("why"), 401, "sign-in-needed"),
    (failures.NoSource("why"), 401, "sign-in-needed"),
    (failures.NotAllowed("why"), 403, "not-allowed"),
    (failures.NoFeed("why"), 404, "no-feed"),
    (failures.AmbiguousHost("why"), 409, "ambiguous"),
    (failures.BadConfiguration("why"), 500, "bad-configuration"),
    (failures.Refused("why"), 502, "refused"),
    (failures.NotNeeded("why"), 502, "refused"),
    (failures.Unavailable("why"), 503, "unavailable"),
]


@pytest.mark.parametrize(("failure", "status", "slug"), ROWS, ids=lambda value: type(value).__name__)
def test_each_failure_has_a_status_and_a_type(failure: failures.Failure, status: int, slug: str) -> None:
    problem = problem_json(failure)

    assert (problem["status"], problem["type"]) == (status, slug)


def test_a_problem_names_what_failed_for_which_feed_and_what_to_type() -> None:
    failure = failures.SignInNeeded("az is signed out", hint="az login")

    assert problem_json(failure, feed="corp") == {
        "type": "sign-in-needed",
        "title": "a person must sign in",
        "status": 401,
        "detail": "az is signed out",
        "hint": "az login",
        "feed": "corp",
    }


def test_a_route_may_give_the_same_failure_another_status() -> None:
    problem = problem_json(failures.BadConfiguration("why"), status=422)

    assert (problem["status"], problem["type"]) == (422, "bad-configuration")
