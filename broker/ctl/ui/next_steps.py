"""What to do after a feed was added: store its secret, and use it."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from broker.core.secret_source import parse
from broker.ctl.add.secret_location import SecretLocation
from broker.ctl.clients.client_index import ALWAYS
from broker.ctl.clients.required_username import is_in_netrc, required_username
from broker.ctl.clients.usernames import PLACEHOLDER, username_for, with_username
from broker.ctl.setup.user_dirs import UserDirs
from broker.providers.recognise.kinds import ANSWER_STRANGERS
from broker.providers.recognise.services import likely_provider

if TYPE_CHECKING:
    from broker.config.model import FeedConfig


def next_steps(feed: "FeedConfig", keys: Mapping[str, Any]) -> str:
    """The lines after "added": how to store the secret, and how uv and pip use the feed."""
    return "\n".join(_lines(feed, keys))


def _lines(feed: "FeedConfig", keys: Mapping[str, Any]) -> Iterator[str]:
    source = None if keys.get("secret") is None else parse(keys["secret"])
    required = required_username(keys, feed.url, UserDirs.here())
    user = username_for(feed.provider, required or (PLACEHOLDER if is_in_netrc(keys) else None))
    # whether there is a keychain was decided when the place was
    location = SecretLocation(UserDirs.here(), has_keychain=True)
    putting = None if source is None else location.putting(source, user)
    if putting is not None:
        how = " (paste it, then Enter and Ctrl-D)" if putting.startswith("sh ") else ""
        yield f"\nPut the secret there{how}:"
        yield f"  {putting}"
    url = with_username(str(feed.url), user)
    yield f"\n  uv    uv pip install --keyring-provider subprocess --index-url {url} PACKAGE"
    yield f"  pip   pip install --keyring-provider subprocess --index-url {url} PACKAGE"
    if feed.provider in ANSWER_STRANGERS or likely_provider(feed.url) in ANSWER_STRANGERS:
        yield (
            "\nWithout a login this server may list fewer versions: keep the user name in the URL, "
            "or for uv write"
        )
        yield f'  [[tool.uv.index]]\n  name = "{feed.name}"\n  url = "{feed.url}"'
        yield f'  authenticate = "{ALWAYS}"'
