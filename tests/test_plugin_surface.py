"""What plug-ins of other distributions rely on: names, parameters, fields. `tests/daemon/test_plugins.py`
loads one.
"""

import importlib
import inspect
from dataclasses import fields

import pytest

from broker.core.credential import Credential
from broker.core.feeds import Feed
from broker.providers import protocol

PLUGIN_SURFACE = {
    "Settings": {"model_config", "default_scope"},
    "ProviderContext": {"http", "environ", "now", "memory"},
    "Tools": {"http", "environ", "now", "memory"},
    "Provider": {
        "name",
        "settings",
        "identity(self, settings)",
        "kind(self, settings)",
        "username(self, settings)",
        "obtain(self, feed, scope)",
        "sign_in_fingerprint(self, feed)",
    },
    "Recognising": {"recogniser(self, feeds)"},
    "AnswersClaims": {"obtain_with(self, feed, scope, claims)"},
    "Interactive": {"sign_in(self, feed, ways, *, in_file)", "sign_out(self, feed)"},
    "SignsInElsewhere": {"sign_in_line(self, feed)"},
    "NeedsSecret": {"brings_secret(self, url)"},
    "JudgesAddresses": {"unworkable(self, feed)"},
    "Unworkable": {"keys", "detail"},
    "ProviderClass": {"name", "settings", "__call__(self, context, /)"},
}


def shape(kind: type) -> set[str]:
    """The members of a class that others see, functions with their parameters."""
    members = {*getattr(kind, "__annotations__", {})}
    for name, member in vars(kind).items():
        if inspect.isfunction(member) and (name == "__call__" or not name.startswith("_")):
            bare = [
                each.replace(annotation=each.empty) for each in inspect.signature(member).parameters.values()
            ]
            members.add(f"{name}{inspect.Signature(bare)}")
        elif not name.startswith("_"):
            members.add(name)
    return members


def test_what_plug_ins_import_has_the_names_that_they_know() -> None:
    found = {
        name: shape(kind)
        for name, kind in vars(protocol).items()
        if inspect.isclass(kind) and kind.__module__ == "broker.providers.protocol"
    }

    assert found == PLUGIN_SURFACE


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("broker.core.credential", {"Credential", "Secret"}),
        ("broker.core.failures", {"NoSource", "NotObtained", "Refused", "SignInNeeded", "Unavailable"}),
        ("broker.core.feeds", {"DEFAULT_IDENTITY", "READ", "Feed", "Realm"}),
        ("broker.core.login_progress", {"LoginMethod", "LoginPage", "SignedIn", "SignedOut"}),
        ("broker.host.http", {"Http", "Request", "Response"}),
    ],
)
def test_what_a_plug_in_answers_with_is_where_it_was(module: str, names: set[str]) -> None:
    assert vars(importlib.import_module(module)).keys() >= names


def test_what_a_plug_in_makes_and_reads_has_the_fields_that_it_knows() -> None:
    assert [field.name for field in fields(Credential)] == [
        *("username", "secret", "expires_at", "source", "account", "tenant", "is_personal", "manual_renewal"),
        *("has_secret_name", "is_end_unknown", "replacing"),
    ]
    assert [field.name for field in fields(Feed)] == [
        *("name", "realm", "prefixes", "identity", "kind", "scope", "username", "configured", "verify"),
        *("allow", "place", "settings", "may_serve_below"),
    ]
