"""Personal access tokens of Azure DevOps, wherever a client would take one for a host of its.

A finding names the place and what to type there, never the value. A place that another check tells of, since
a client takes its password before any keyring, is left to that check, which has the news, too.
"""

import json
from collections.abc import Iterator
from typing import NamedTuple

from broker.core.secret_source import shown, sources_of
from broker.core.urls import may_be_token
from broker.core.verdict import Verdict
from broker.ctl.clients.client_index import UV, Index, login_in
from broker.ctl.clients.npmrc import npm_passwords
from broker.ctl.clients.stored_passwords import host_of
from broker.ctl.clients.upload_passwords import upload_passwords
from broker.ctl.doctor.client_logins import indexes_with_passwords, without_password
from broker.ctl.doctor.context import DoctorContext
from broker.ctl.doctor.finding import Finding, warning
from broker.ctl.doctor.pat_news import pat_news
from broker.providers.recognise.azure_addresses import is_azure_host
from broker.providers.recognise.kinds import AZURE

VARIABLE = "AZURE_DEVOPS_EXT_PAT"
"""The Azure DevOps extension of az reads it."""

ENDPOINTS = (
    "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
)
"""JSON with `endpointCredentials`, which artifacts-credprovider and artifacts-keyring read."""

PAT = "pat"


class _Found(NamedTuple):
    """Where a token is, as the beginning of a sentence, and what to type there."""

    place: str
    line: str | None


def access_tokens_last(context: DoctorContext) -> Iterator[Finding]:
    """Each place with a password for Azure DevOps, and what became of global tokens."""
    news = pat_news(context.clock.now().wall)
    places = (_in_configuration, _in_variables, _in_indexes, _in_stores)
    for place, line in dict.fromkeys(found for look in places for found in look(context)):
        yield warning("pat", f"{place} has a password for Azure DevOps, where those are PATs: {news}", line)


def _in_configuration(context: DoctorContext) -> Iterator[_Found]:
    refused = {feed.name for feed in context.asked if feed.verdict == Verdict.UNAUTHORISED.word}
    for feed in context.configured.config.feeds:
        if feed.provider == AZURE and PAT in feed.own_keys.get("auth", ()) and feed.name not in refused:
            kept = " and ".join(shown(source) for source in sources_of(feed.own_keys))
            line = f'remove auth and secret of "{feed.name}", then: brokerctl reload && az login'
            yield _Found(f"{feed.place} ({kept or PAT})", line)


def _in_variables(context: DoctorContext) -> Iterator[_Found]:
    environ = context.user_dirs.environ
    if environ.get(VARIABLE):
        yield _Found(VARIABLE, f"unset {VARIABLE}")
    for name in ENDPOINTS:
        if _has_password(environ.get(name, "")):
            yield _Found(name, f"unset {name}")
    for variable, host in upload_passwords(environ):
        if is_azure_host(host):
            yield _Found(variable, f"unset {variable}")


def _in_indexes(context: DoctorContext) -> Iterator[_Found]:
    told = set(indexes_with_passwords(context))
    for index in context.addresses:
        has_token = index.has_password or may_be_token(index.username or "")
        if has_token and index not in told and is_azure_host(host_of(index.url)):
            yield _of_index(index, context)


def _in_stores(context: DoctorContext) -> Iterator[_Found]:
    spell = context.user_dirs.shown
    for entry in context.netrc.others:
        if is_azure_host(entry.host):
            yield _Found(f"{spell(entry.path)} {entry.lines}", f"remove {entry.lines} of {spell(entry.path)}")
    for stored in context.uv_store.others:
        if is_azure_host(host_of(stored.service)):
            yield _Found(f"uv's store ({stored.shown})", stored.removal)
    for password in npm_passwords(context.directory, context.user_dirs):
        if is_azure_host(password.host):
            place = password.place.shown(spell)
            yield _Found(place, f"remove line {password.place.line} of {spell(password.place.source)}")


def _of_index(index: Index, context: DoctorContext) -> _Found:
    place = (index.password_at or index.place).shown(context.user_dirs.shown)
    if index.publishes and index.password_at is None:
        return _Found(place, f"remove the password of {index.shown} from {place}")
    if index.client == UV and not login_in(index.url)[1]:
        place = index.password_variable
    return _Found(place, without_password(index, context))


def _has_password(text: str) -> bool:
    """True where the variable's JSON has a password for a host of Azure DevOps."""
    try:
        named = json.loads(text)["endpointCredentials"] if text else []
        return any(one.get("password") and is_azure_host(host_of(str(one.get("endpoint")))) for one in named)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False
