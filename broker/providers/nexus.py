"""`nexus`: Sonatype Nexus repositories, with a user token: a pair of codes, both of them secret.

Nexus has no service that renews them. Where they are is where netrc, the keyring or a program keeps both; a
username of one's own with a password does as well.
"""

from dataclasses import replace
from typing import ClassVar

from broker.core.credential import Credential
from broker.core.failures import Refused
from broker.core.feeds import Feed
from broker.providers.static_login import LoginProvider


class NexusProvider(LoginProvider):
    """Reads the configured pair at each renewal."""

    name: ClassVar[str] = "nexus"

    async def obtain(self, feed: Feed, scope: str) -> Credential:
        """Read the pair. Raises what `secret_reader.read` raises, and Refused for half of one."""
        credential = await super().obtain(feed, scope)
        if credential.account is None:
            raise Refused(f"{credential.source} has no username, and Nexus takes none but its own")
        # only the client gets the name code
        return replace(credential, account=feed.username, has_secret_name=feed.username is None)
