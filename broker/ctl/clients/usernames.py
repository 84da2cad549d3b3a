"""The user name to put into a feed's URL: without one uv asks no keyring (field facts: uv, `authenticate`).

Most servers ignore it and look at the token alone; then it is what the provider's own documentation writes.
"""

from urllib.parse import quote

from broker.core.urls import may_be_token, printable

CONVENTIONS = {
    "azure": "VssSessionToken",
    "google": "oauth2accesstoken",
    "codeartifact": "aws",
    "gitlab": "__token__",
    "cloudsmith": "token",
}

ANY = "__token__"

PLACEHOLDER = "USERNAME"
"""Stands where the user name cannot be shown."""


def username_for(provider: str, required: str | None = None) -> str:
    """The one that the feed requires, else the provider's conventional one."""
    return required or CONVENTIONS.get(provider, ANY)


def with_username(url: str, username: str) -> str:
    """The URL with the user name in it, for a line to type: nothing in it may be a secret.

    What the URL holds beside its address is left out, and so is a user name that may be a token.
    """
    address = printable(url) or "https://HOST/simple/"
    name = PLACEHOLDER if may_be_token(username) else quote(username, safe="")
    return address.replace("://", f"://{name}@", 1)
