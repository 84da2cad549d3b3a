"""The user name to put into a feed's URL: without one uv asks no keyring (field facts: uv, `authenticate`).

Most servers ignore it and look at the token alone; then it is what the provider's own documentation writes.
"""

from urllib.parse import quote

CONVENTIONS = {
    "azure": "VssSessionToken",
    "google": "oauth2accesstoken",
    "codeartifact": "aws",
    "gitlab": "__token__",
    "cloudsmith": "token",
}

ANY = "__token__"


def username_for(provider: str, required: str | None = None) -> str:
    """The one that the feed requires, else the provider's conventional one."""
    return required or CONVENTIONS.get(provider, ANY)


def with_username(url: str, username: str) -> str:
    """The URL, which has none, with the user name in it."""
    return url.replace("://", f"://{quote(username, safe='')}@", 1)
