"""JFrog's exchange of an AWS role for a token: a signed question to STS is sent, which JFrog asks in turn.

`POST /access/api/v1/aws/token?region=REGION` with the signature's headers, as JFrog's own rotation for AWS
Secrets Manager sends it (`secret-rotator/lambda_function.py`, 2026) and "Assign an IAM role" of its REST API
prepares. The path has no slash at its end: with one, a JFrog that was not mended gives anybody the token of
nobody (CVE-2026-42018). The signature is good for minutes and for this question alone.
"""

import json
from collections.abc import Hashable, Mapping
from pathlib import Path

from broker.core.failures import NoSource
from broker.host.file_stamp import file_stamp
from broker.host.http import Request
from broker.providers.aws_errors import failure_of
from broker.providers.home import expand
from broker.providers.printed_object import printed_object, printed_text
from broker.providers.vendor_tool import (
    ask_tool,
    is_importable,
    no_token_in,
    sdk_argv,
    variables_fingerprint,
)

PATH = ("access", "api", "v1", "aws", "token")
LIFE_S = 3600
SDK = "botocore"
SENT = ("authorization", "x-amz-date", "x-amz-security-token")
"""The headers of the signature; its host is STS's and not the one that is asked."""

_CHILD = "broker.providers.sts_signer_child"


async def exchange_request(
    url: str, region: str, profile: str | None, environ: Mapping[str, str], ca: Path | None
) -> Request:
    """The request for a token. Raises NoSource without botocore, and what the SDK's complaint stands for."""
    if not is_importable(SDK):
        raise NoSource("boto3, which signs in to AWS, is not installed: the broker's extra [aws] brings it")
    asked = {"region": region, **({"profile": profile} if profile else {})}
    finished = await ask_tool(SDK, sdk_argv(_CHILD, json.dumps(asked)), environ, ca)
    if finished.code != 0:
        raise failure_of(SDK, printed_text(finished.stderr), profile)
    told = printed_object(finished.stdout, "headers").get("headers")
    headers = {str(name).lower(): value for name, value in told.items()} if isinstance(told, Mapping) else {}
    signed = tuple((name, value) for name in SENT if isinstance(value := headers.get(name), str))
    if not signed:
        raise no_token_in(SDK, finished.stdout)
    more = (("Content-Type", "application/json"), ("x-amz-region-set", region))
    body = json.dumps({"expires_in": str(LIFE_S)}).encode()
    return Request("POST", f"{url}?region={region}", (*signed, *more), body)


def fingerprint(environ: Mapping[str, str]) -> Hashable:
    """What changes with AWS's variables and files."""
    home = expand("~/.aws", environ)
    files = tuple(file_stamp(home / name) for name in ("config", "credentials"))
    return (variables_fingerprint(environ, "AWS_"), *files)
