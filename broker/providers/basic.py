"""`basic`: a username and a secret kept outside the broker, for any server that takes the two."""

from typing import ClassVar

from broker.providers.static_login import LoginProvider


class BasicProvider(LoginProvider):
    """Reads the configured secret at each renewal."""

    name: ClassVar[str] = "basic"
