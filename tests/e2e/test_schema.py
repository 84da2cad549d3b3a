"""What `/openapi.json` says of the socket API is true: requests made from it, good and bad, are answered
as it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.e2e.household import household

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemathesis import Case

ENDLESS = {"/v1/events"}
"""Has no answer that ends by itself."""

PATHS = (
    "/v1/credential",
    "/v1/match",
    "/v1/explain",
    "/v1/status",
    "/v1/health",
    "/v1/reload",
    "/v1/feeds/{name}/refresh",
    "/v1/feeds/{name}/verify",
    "/v1/feeds/{name}/forget",
    "/v1/feeds/{name}/login",
    "/v1/feeds/{name}/logout",
    "/v1/logs",
    "/v1/shares",
    "/v1/shares/{name}",
    "/v1/shares/{name}/end",
    "/metrics",
)


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with household() as house:
        house.configure(house.plain_feed())
        with (
            house.forked_brokerd() as broker,
            httpx.Client(
                transport=httpx.HTTPTransport(uds=str(broker.wire.path)), base_url="http://broker", timeout=20
            ) as made,
        ):
            yield made


def test_every_route_is_asked(client: httpx.Client) -> None:
    assert set(client.get("/openapi.json").json()["paths"]) == {*PATHS, *ENDLESS}


@pytest.mark.parametrize(
    ("path", "examples"),
    [
        ("/v1/credential", 3),
        ("/v1/feeds/{name}/refresh", 3),
        *(pytest.param(path, 300, marks=pytest.mark.long) for path in PATHS),
    ],
)
def test_the_description_is_true(client: httpx.Client, path: str, examples: int) -> None:
    import schemathesis  # noqa: PLC0415 - 0.3 s, which each worker would wait when it collects the tests
    from schemathesis.specs.openapi import checks  # noqa: PLC0415 - as above

    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    [operation] = schema[path].values()
    names_something = path.startswith("/v1/shares/") or any(each.name == "url" for each in operation.query)
    excluded = [checks.ignored_auth]  # nobody authenticates by what a request holds: the kernel says who asks
    if names_something:
        excluded.append(checks.positive_data_acceptance)  # texts that are no URL, feed or share are refused

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def holds(case: Case[Any]) -> None:
        sent = case.as_transport_kwargs(base_url="http://broker")
        answer = client.request(
            sent["method"],
            sent["url"],
            params=sent.get("params"),
            headers={**sent.get("headers", {}), "Host": "broker"},
        )
        case.validate_response(schemathesis.Response.from_any(answer), excluded_checks=excluded)

    holds()
