"""Whether a new address needs a credential at all: asked once, without one, as `brokerctl discover` asks."""

from broker.core.urls import Url
from broker.ctl.clients.client_index import Index, Place
from broker.ctl.config_view import configured
from broker.ctl.discover.anonymous_probe import with_answers
from broker.ctl.discover.classify import FeedStanding, classify
from broker.ctl.setup.user_dirs import UserDirs


def is_public(url: Url) -> bool:
    """True where the index answers without a credential; False where it does not, or cannot be asked.

    An address whose shape names a kind of feed is not asked: such servers answer strangers with less.
    """
    config = configured(UserDirs.here()).config
    found = classify([Index.at("uv", Place(str(url)), str(url))], config)
    return any(each.standing is FeedStanding.PUBLIC for each in with_answers(found, config.ca))
