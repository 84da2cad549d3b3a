"""A GitHub Actions job's assertion about itself (GitHub's "OpenID Connect reference"): valid for minutes."""

import json
from collections.abc import Mapping
from urllib.parse import quote

from broker.core.credential import Secret
from broker.core.failures import NoSource, Refused, Unavailable
from broker.host.http import Http, Request
from broker.host.http_errors import Unreachable
from broker.providers.retry_after import retry_after_s
from broker.providers.secret_reader import from_env

URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
BEARER = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


async def job_assertion(http: Http, environ: Mapping[str, str], audience: str | None) -> Secret:
    """The job's assertion, for `audience` where one is given.

    Raises NoSource outside of a job that may have one (`permissions: id-token: write`), Refused and
    Unavailable as GitHub answers.
    """
    url = environ.get(URL, "")
    if not environ.get(BEARER) or not url.startswith("https://"):
        raise NoSource("this is no GitHub job with `permissions: id-token: write`")
    bearer = from_env(BEARER, environ).secret.reveal()
    asked = f"{url}&audience={quote(audience, safe='')}" if audience else url
    request = Request("GET", asked, (("Authorization", f"Bearer {bearer}"),))
    return await assertion_of(http, request, "GitHub", "value")


async def assertion_of(http: Http, request: Request, service: str, key: str) -> Secret:
    """The assertion that the CI service hands out under `key`. Raises Unavailable, or Refused for none."""
    try:
        response = await http.send(request)
    except Unreachable as error:
        raise Unavailable(error.reason) from None
    if response.status == 429 or response.status >= 500:  # noqa: PLR2004 - RFC 6585, RFC 9110 section 15.6
        raise Unavailable(f"{service} answers {response.status}", retry_after_s=retry_after_s(response))
    try:
        return Secret(json.loads(response.body)[key])
    except (ValueError, TypeError, KeyError, RecursionError):
        raise Refused(f"{service} gives this job no assertion ({response.status})") from None
