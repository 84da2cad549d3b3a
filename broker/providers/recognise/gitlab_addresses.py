"""GitLab: `.../api/v4/(projects|groups)/ID/[-/]packages/pypi/...`, on gitlab.com or a server of one's own."""

from broker.core.feeds import Realm, Recognised
from broker.core.urls import Origin, Service, Url
from broker.providers.recognise.address_parts import PORT, https_url, is_number, plain_name, url_below
from broker.providers.recognise.kinds import GITLAB

GITLAB_HOST = "gitlab.com"
GITLAB_API = ("api", "v4")


def gitlab_feed(host: str, segments: tuple[str, ...]) -> Recognised | None:
    """What an address on gitlab.com names, as `gitlab_at` reads it."""
    return gitlab_at(https_url(GITLAB_HOST, *GITLAB_API), Url(Origin("https", host, PORT), segments))


def gitlab_at(api: Url, service: Service) -> Recognised | None:
    """What a service says of itself below a GitLab's API: `(projects|groups)/ID/[-/]packages/pypi/...`.

    `api` ends in `/api/v4`; an installation under a relative URL has more before it. The bare host serves
    much else, so it names nothing.
    """
    if not isinstance(service, Url) or not api.covers(service):
        return None
    path = service.segments[len(api.segments) :]
    match path:
        case ("projects", number, "packages", "pypi", *_):
            feed = url_below(api, *path[:4])
        case ("groups", number, "-", "packages", "pypi", *_):
            feed = url_below(api, *path[:5])
        case _:
            return None
    name = GITLAB if is_number(number) else plain_name(number)
    return Recognised(Realm(GITLAB, str(api.origin)), name or GITLAB, (feed,), (api,))
