"""Gets a CodeArtifact authorization token with boto3 and prints it as JSON: the one file that loads that SDK.

Run by `provider.py` as a program with one word, a JSON object: `domain`, `owner`, `region`, and where they
are not the default `duration`, `profile` and `role`. Exit 1 with the SDK's own words on stderr, for
`aws_errors.py` to read. What signs in, and where, is as boto3 finds it in its environment and files.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

CONNECT_S = 5
READ_S = 10
"""One attempt each: the keeper retries."""

SESSION_NAME = "token-broker"
"""What an assumed role's session is called in the account's CloudTrail."""


def main(arguments: Sequence[str]) -> int:
    """Sign in as the arguments say; returns the exit code."""
    import truststore  # noqa: PLC0415 - 0.1 s

    truststore.inject_into_ssl()  # a company's authority is the system's, as for uv, pip and the daemon
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.2 s

    try:
        answer = _token(json.loads(arguments[0]))
    except (BotoCoreError, ClientError, EOFError, OSError) as error:  # EOFError: a prompt for a second factor
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    sys.stdout.write(json.dumps(answer))
    return 0


def _token(asked: Mapping[str, Any]) -> dict[str, str]:
    import boto3  # noqa: PLC0415 - 0.2 s
    from botocore.config import Config  # noqa: PLC0415 - as above

    config = Config(connect_timeout=CONNECT_S, read_timeout=READ_S, retries={"total_max_attempts": 1})
    session = boto3.Session(profile_name=asked.get("profile"), region_name=asked["region"])
    credentials = session.get_credentials()
    if "role" in asked:
        sts = session.client("sts", config=config)
        assumed = sts.assume_role(RoleArn=asked["role"], RoleSessionName=SESSION_NAME)["Credentials"]
        session = boto3.Session(
            aws_access_key_id=assumed["AccessKeyId"],
            aws_secret_access_key=assumed["SecretAccessKey"],
            aws_session_token=assumed["SessionToken"],
            region_name=asked["region"],
        )
    more = {"durationSeconds": asked["duration"]} if "duration" in asked else {}
    client = session.client("codeartifact", config=config)
    answer = client.get_authorization_token(domain=asked["domain"], domainOwner=asked["owner"], **more)
    return {
        "authorizationToken": answer["authorizationToken"],
        "expiration": answer["expiration"].isoformat(),
        "method": "" if credentials is None else str(credentials.method),
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
