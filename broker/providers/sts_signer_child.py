"""Signs the question who this machine is (`sts:GetCallerIdentity`) with botocore and prints its headers.

Run by `jfrog_aws.py` as a program with one word, a JSON object: `region`, and where it is not the default
`profile`. Nothing is sent. Exit 1 with the SDK's own words on stderr, for `aws_errors.py` to read.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

CALLER = {"Action": "GetCallerIdentity", "Version": "2011-06-15"}


def main(arguments: Sequence[str]) -> int:
    """Sign as the arguments say; returns the exit code."""
    import truststore  # noqa: PLC0415 - 0.1 s

    truststore.inject_into_ssl()  # the credentials may come from a service
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.2 s

    try:
        headers = _signed(json.loads(arguments[0]))
    except (BotoCoreError, ClientError, EOFError, OSError) as error:  # EOFError: a prompt for a second factor
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps({"headers": headers}))
    return 0


def _signed(asked: Mapping[str, Any]) -> dict[str, str]:
    from botocore.auth import SigV4Auth  # noqa: PLC0415 - 0.2 s
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415 - as above
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - as above
    from botocore.session import Session  # noqa: PLC0415 - as above

    credentials = Session(profile=asked.get("profile")).get_credentials()
    if credentials is None:
        raise NoCredentialsError
    host = f"https://sts.{asked['region']}.amazonaws.com/"
    request = AWSRequest(method="GET", url=host, params=CALLER)
    SigV4Auth(credentials.get_frozen_credentials(), "sts", asked["region"]).add_auth(request)
    return {str(name): str(value) for name, value in request.headers.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
