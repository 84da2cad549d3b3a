"""Which hosts have their TLS ended, which are reached at all, and by which proxy."""

from __future__ import annotations

import pytest

from broker.gateway.host_rules import Endpoint, HostRules, parse_endpoint, unusable
from broker.gateway.upstream_proxy import ProxyAddressError, ProxyChoice
from broker.providers.recognise.host_shapes import HOST_SHAPES
from broker.providers.recognise.kinds import AZURE, CODEARTIFACT, GOOGLE

LEARNED = HostRules(
    frozenset({Endpoint("packages.example", 443), Endpoint("packages.example", 8443)}),
    tuple(shape.pattern for shape in HOST_SHAPES.values()),
    frozenset().union(*(shape.domains for shape in HOST_SHAPES.values())),
)


@pytest.mark.parametrize(
    ("target", "is_feed"),
    [
        ("packages.example:443", True),
        ("PACKAGES.example:443", True),
        ("packages.example:8443", True),
        ("packages.example:444", False),
        ("a.packages.example:443", False),
        ("pkgs.dev.azure.com:443", True),
        ("pkgs.dev.azure.com:8443", False),
        ("dev.azure.com:443", False),
        ("acme.pkgs.visualstudio.com:443", True),
        ("a.acme.pkgs.visualstudio.com:443", False),
        ("europe-west1-python.pkg.dev:443", True),
        ("europe-west1-docker.pkg.dev:443", False),
        ("team-123456789012.d.codeartifact.eu-west-1.amazonaws.com:443", True),
        ("team-123456789012.d.codeartifact.xx-west-1.amazonaws.com:443", False),
        ("s3.eu-west-1.amazonaws.com:443", False),
    ],
)
def test_tls_is_ended_for_hosts_of_feeds_alone(target: str, is_feed: bool) -> None:
    endpoint = parse_endpoint(target)

    assert endpoint is not None
    assert LEARNED.is_feed(endpoint) == is_feed


def test_regions_are_those_that_botocore_knows() -> None:
    botocore_session = pytest.importorskip("botocore.session")
    session = botocore_session.get_session()

    regions = {
        region
        for partition in ("aws", "aws-us-gov", "aws-cn")
        for region in session.get_available_regions("codeartifact", partition)
    }

    assert HOST_SHAPES[CODEARTIFACT].domains == {
        f"codeartifact.{region}.{suffix}" for region in regions for suffix in ("amazonaws.com", "on.aws")
    }


@pytest.mark.parametrize("is_configured", [False, True])
def test_a_region_that_is_not_listed_is_a_feeds_where_it_is_configured(*, is_configured: bool) -> None:
    host = Endpoint("acme-123456789012.d.codeartifact.mx-central-1.amazonaws.com", 443)
    shape = HOST_SHAPES[CODEARTIFACT]
    rules = HostRules(frozenset({host} if is_configured else ()), (shape.pattern,), shape.domains)

    assert rules.is_feed(host) is is_configured
    assert (host.host in rules.names()) is is_configured


@pytest.mark.parametrize("provider", [AZURE, GOOGLE, CODEARTIFACT])
def test_authority_is_limited_to_domains_of_packages(provider: str) -> None:
    for domain in HOST_SHAPES[provider].domains:
        assert domain not in {"amazonaws.com", "azure.com", "dev.azure.com", "visualstudio.com", "on.aws"}
        assert domain.count(".") >= (1 if domain == "pkg.dev" else 2)


@pytest.mark.parametrize(
    ("allowed", "target", "reached"),
    [
        ("index.example", "index.example:443", True),
        ("index.example", "index.example:80", True),
        ("index.example:443", "index.example:80", False),
        ("index.example", "x.index.example:443", False),
        ("index.example", "notindex.example:443", False),
        ("*.index.example", "x.index.example:443", True),
        ("*.index.example", "x.y.index.example:443", True),
        ("*.index.example", "index.example:443", False),
        ("*.index.example", "notindex.example:443", False),
        ("*.index.example:443", "x.index.example:8443", False),
        ("[::1]:443", "[::1]:443", True),
    ],
)
def test_strict_rules_let_through_what_was_allowed(allowed: str, target: str, reached: bool) -> None:
    endpoint = parse_endpoint(target)

    assert endpoint is not None
    assert HostRules(frozenset(), is_strict=True, allowed=(allowed,)).may_reach(endpoint) == reached
    assert HostRules(frozenset()).may_reach(endpoint)


def test_what_is_no_host_cannot_be_allowed() -> None:
    good = ["index.example", "*.index.example", "index.example:443", "127.0.0.1"]

    assert unusable(good) is None
    for bad in ("", "*", "https://index.example", "index.example/simple", "*index.example", "a b", "x@y"):
        assert unusable([*good, bad]) == bad


PROXY = "http://user:p%40ss@proxy.corp:3128"


@pytest.mark.parametrize(
    ("environ", "scheme", "host", "led"),
    [
        ({"https_proxy": PROXY}, "https", "packages.example", True),
        ({"HTTPS_PROXY": PROXY}, "https", "packages.example", True),
        ({"HTTPS_PROXY": PROXY}, "http", "packages.example", False),
        ({"ALL_PROXY": PROXY}, "http", "packages.example", True),
        ({"HTTP_PROXY": PROXY}, "http", "packages.example", True),
        ({"HTTPS_PROXY": PROXY}, "https", "localhost", False),
        ({"HTTPS_PROXY": PROXY}, "https", "127.0.0.9", False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "packages.example"}, "https", "packages.example", False),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "other, .example"}, "https", "packages.example", False),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*.example"}, "https", "packages.example", False),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "*"}, "https", "packages.example", False),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "kages.example"}, "https", "packages.example", True),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "packages.example:8443"}, "https", "packages.example", True),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "10.0.0.0/8"}, "https", "10.1.2.3", False),
        ({"HTTPS_PROXY": PROXY, "no_proxy": "10.0.0.0/8"}, "https", "11.1.2.3", True),
        ({}, "https", "packages.example", False),
    ],
)
def test_proxies_of_before_are_used(environ: dict[str, str], scheme: str, host: str, led: bool) -> None:
    found = ProxyChoice(environ).lead_to(scheme, Endpoint(host, 443))

    assert (found is not None) == led
    if found is not None:
        assert found.endpoint == Endpoint("proxy.corp", 3128)
        assert found.authorization == b"Basic dXNlcjpwQHNz"
        assert "dXNl" not in repr(found)


@pytest.mark.parametrize("address", ["socks5://127.0.0.1:1080", "http://", "http://[oops", "ftp://x"])
def test_proxy_that_cannot_be_used_is_named_without_its_address(address: str) -> None:
    with pytest.raises(ProxyAddressError, match="ALL_PROXY") as raised:
        ProxyChoice({"ALL_PROXY": address})

    assert "1080" not in str(raised.value)
