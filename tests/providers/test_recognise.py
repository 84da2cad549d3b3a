import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.failures import BadRequest
from broker.core.feeds import PUBLISH, READ, Realm
from broker.core.urls import Host, Origin, Url, parse_service, parse_url
from broker.providers.recognise.azure_addresses import azure_ring
from broker.providers.recognise.feed_name import default_name
from broker.providers.recognise.services import likely_provider, provider_of, realm_of, recognise

PROJECT_GUID = "2f9a2a5e-6b3c-4f0d-9a53-1f6f1c1f5a01"
FEED_GUID = "5d1c9f52-8b0e-4a43-8f7e-7d1d0d3f6b02"
AZURE_FEED = "https://pkgs.dev.azure.com/acme/_packaging/corp/"
DUAL = "acme-111122223333.codeartifact.eu-west-1.on.aws"
"""As `get-repository-endpoint --endpoint-type dualstack` answered (codeartifact-gradle-plugin#822)."""

VPC = "vpce-0743fe535b883ffff-76ddffff.d.codeartifact.us-west-2.vpce.amazonaws.com"
"""The example of CodeArtifact's user guide, "Use CodeArtifact from a VPC"."""

DOMAIN = "acme-111122223333.d.codeartifact.eu-west-1"


@pytest.mark.parametrize(
    ("service", "realm", "name"),
    [
        ("https://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/", "azure:acme", "corp"),
        ("https://pkgs.dev.azure.com/Acme/_packaging/Corp/pypi/simple", "azure:acme", "Corp"),
        ("https://pkgs.dev.azure.com:443/acme/_packaging/corp/pypi/simple/", "azure:acme", "corp"),
        ("https://VssSessionToken@pkgs.dev.azure.com/acme/tools/_packaging/corp/", "azure:acme", "corp"),
        ("pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/", "azure:acme", "corp"),
        (
            "https://pkgs.dev.azure.com/acme/_packaging/corp@release/pypi/simple/",
            "azure:acme",
            "corp-release",
        ),
        ("https://pkgs.dev.azure.com/acme/a%20b/_packaging/my%20feed/pypi/simple/", "azure:acme", "my-feed"),
        ("https://pkgs.dev.azure.com/acme/", "azure:acme", "acme"),
        ("https://pkgs.dev.azure.com/acme/_apis/packaging/feeds", "azure:acme", "acme"),
        (
            f"https://pkgs.dev.azure.com/acme/{PROJECT_GUID}/_packaging/{FEED_GUID}/pypi/download/a/1/a-1.whl",
            "azure:acme",
            "acme",
        ),
        ("https://acme.pkgs.visualstudio.com/_packaging/corp/pypi/simple/", "azure:acme", "corp"),
        ("https://ACME.pkgs.visualstudio.com/tools/_packaging/corp/pypi/simple/", "azure:acme", "corp"),
        ("https://acme.pkgs.visualstudio.com/DefaultCollection/_packaging/corp/", "azure:acme", "corp"),
        ("https://acme.pkgs.visualstudio.com/defaultcollection/tools/_packaging/corp/", "azure:acme", "corp"),
        ("acme.pkgs.visualstudio.com", "azure:acme", "acme"),
        ("acme.pkgs.visualstudio.com:443", "azure:acme", "acme"),
        ("https://pkgs.codedev.ms/acme/_packaging/corp/pypi/simple/", "azure:codedev.ms/acme", "corp"),
        ("https://acme.pkgs.vsts.me/_packaging/corp/pypi/simple/", "azure:codedev.ms/acme", "corp"),
        ("https://europe-west4-python.pkg.dev/proj/models/simple/", "google:pkg.dev", "models"),
        ("https://us-python.pkg.dev/proj/models/torch/torch-1.whl", "google:pkg.dev", "models"),
        ("https://us-pypi.pkg.dev/proj/models/simple/", "google:pkg.dev", "models"),
        ("https://us-python.pkg.dev/example.com/proj/models/simple/", "google:pkg.dev", "models"),
        ("us-central1-python.pkg.dev", "google:pkg.dev", "us-central1"),
        (
            f"https://{DOMAIN}.amazonaws.com/pypi/wheels/simple/",
            "codeartifact:acme/111122223333/eu-west-1",
            "wheels",
        ),
        (f"https://{DUAL}/pypi/wheels/", "codeartifact:acme/111122223333/eu-west-1", "wheels"),
        (
            f"https://{VPC}/pypi/d/acme-111122223333/wheels/simple/",
            "codeartifact:acme/111122223333/us-west-2",
            "wheels",
        ),
        (f"https://{VPC}/pypi/d/acme-111122223333/", "codeartifact:acme/111122223333/us-west-2", "acme"),
        ("https://dl.cloudsmith.io/basic/acme/wheels/python/simple/", "cloudsmith:acme", "wheels"),
        ("https://dl.cloudsmith.io/basic/Acme/", "cloudsmith:acme", "acme"),
        ("https://python.cloudsmith.io/acme/wheels/", "cloudsmith:acme", "wheels"),
        (f"{DOMAIN}.amazonaws.com", "codeartifact:acme/111122223333/eu-west-1", "acme"),
        (
            "https://a-b-123456789012-210987654321.d.codeartifact.us-gov-west-1.amazonaws.com/pypi/w/simple/",
            "codeartifact:a-b-123456789012/210987654321/us-gov-west-1",
            "w",
        ),
        (
            "https://acme-111122223333.d.codeartifact.cn-north-1.amazonaws.com.cn/pypi/wheels/simple/",
            "codeartifact:acme/111122223333/cn-north-1",
            "wheels",
        ),
        (
            "https://gitlab.com/api/v4/groups/1234567/-/packages/pypi/simple/",
            "gitlab:https://gitlab.com",
            "gitlab",
        ),
        (
            "https://gitlab.com/api/v4/projects/42/packages/pypi/files/0a/a-1.whl",
            "gitlab:https://gitlab.com",
            "gitlab",
        ),
        (
            "https://gitlab.com/api/v4/groups/acme/-/packages/pypi/simple",
            "gitlab:https://gitlab.com",
            "acme",
        ),
    ],
)
def test_an_address_that_names_its_realm_is_recognised(service: str, realm: str, name: str) -> None:
    recognised = recognise(parse_service(service))

    assert recognised is not None
    assert (str(recognised.realm), recognised.name) == (realm, name)


@pytest.mark.parametrize(
    "service",
    [
        "pkgs.dev.azure.com",
        "https://pkgs.dev.azure.com/",
        "https://pkgs.dev.azure.com//acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com/ac%40me/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com/-acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com:8443/acme/_packaging/corp/pypi/simple/",
        "https://evilpkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://evil-pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://evil.pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com.evil.example/acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com@evil.example/acme/_packaging/corp/pypi/simple/",
        "https://evil.example/pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "pkgs.visualstudio.com",
        "https://pkgs.visualstudio.com/acme/_packaging/corp/pypi/simple/",
        "https://acmepkgs.visualstudio.com/_packaging/corp/pypi/simple/",
        "https://a.b.pkgs.visualstudio.com/_packaging/corp/pypi/simple/",
        "https://acme.pkgs.visualstudio.com.evil.example/_packaging/corp/pypi/simple/",
        "https://ac_me.pkgs.visualstudio.com/_packaging/corp/pypi/simple/",
        "acme.pkgs.visualstudio.com:80",
        "https://acme.visualstudio.com/_packaging/corp/pypi/simple/",
        "pkgs.codedev.ms",
        "https://us-docker.pkg.dev/proj/models/",
        "https://us-npm.pkg.dev/proj/models/",
        "https://python.pkg.dev/proj/models/simple/",
        "https://a.us-python.pkg.dev/proj/models/simple/",
        "https://us-python.pkg.dev.evil.example/proj/models/simple/",
        "https://us-python.pkg.dev:444/proj/models/simple/",
        f"https://{DOMAIN}.on.aws/pypi/wheels/simple/",  # what was guessed before; no such host
        "https://acme-111122223333.codeartifact.eu-west-1.amazonaws.com/pypi/wheels/simple/",
        "https://acme-111122223333.codeartifact.cn-north-1.on.aws/pypi/wheels/simple/",
        f"https://{VPC}/",
        f"https://{VPC}/pypi/wheels/simple/",
        f"https://{VPC}/pypi/d/acme/wheels/simple/",
        "https://dl.cloudsmith.io/",
        "https://dl.cloudsmith.io/public/acme/wheels/python/simple/",
        "https://dl.cloudsmith.io/s3cretToken/acme/wheels/python/simple/",
        "https://api.cloudsmith.io/basic/acme/wheels/",
        "https://acme-11112222333.d.codeartifact.eu-west-1.amazonaws.com/pypi/wheels/simple/",
        "https://acme111122223333.d.codeartifact.eu-west-1.amazonaws.com/pypi/wheels/simple/",
        "https://acme-111122223333.d.codeartifact.amazonaws.com/pypi/wheels/simple/",
        "https://acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com.evil.example/pypi/wheels/simple/",
        "https://acme-111122223333.d.codeartifact.eu-west-1.amazonaws.com.cn/pypi/wheels/simple/",
        "https://acme-111122223333.d.codeartifact.cn-north-1.amazonaws.com/pypi/wheels/simple/",
        "https://acme-111122223333.d.evil.eu-west-1.amazonaws.com/pypi/wheels/simple/",
        "gitlab.com",
        "https://gitlab.com/acme/tools",
        "https://gitlab.com/api/v4/projects/42/packages/npm/",
        "https://notgitlab.com/api/v4/projects/42/packages/pypi/simple",
        "https://gitlab.example.com/api/v4/projects/42/packages/pypi/simple",
        "https://artifactory.example.com/artifactory/api/pypi/internal/simple/",
        "http://127.0.0.1:8080/simple/",
        "localhost",
    ],
)
def test_an_address_that_could_be_anybodys_is_not_recognised(service: str) -> None:
    assert recognise(parse_service(service)) is None


@pytest.mark.parametrize(
    "service",
    [
        "http://pkgs.dev.azure.com/acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com./acme/_packaging/corp/pypi/simple/",
        "https://pkgs.dev.azure.com%2eevil.example/acme/",
        "https://pkgs.dev.azure.com\\@evil.example/acme/",
        "https://pkgs.dev.azure.com/acme/../evil/_packaging/corp/pypi/simple/",
    ],
)
def test_a_hostile_spelling_does_not_even_parse(service: str) -> None:
    with pytest.raises(BadRequest):
        parse_service(service)


@pytest.mark.parametrize(
    "url",
    [
        Url(Origin("http", "pkgs.dev.azure.com", 80), ("acme", "_packaging", "corp")),
        Url(Origin("http", "pkgs.dev.azure.com", 443), ("acme", "_packaging", "corp")),
        Url(Origin("https", "pkgs.dev.azure.com.", 443), ("acme", "_packaging", "corp")),
    ],
)
def test_what_parsing_refuses_is_not_recognised_either(url: Url) -> None:
    assert recognise(url) is None


def test_an_azure_feed_has_both_host_forms_and_the_asked_one_leads() -> None:
    recognised = recognise(
        parse_service("https://acme.pkgs.visualstudio.com/tools/_packaging/corp/pypi/simple")
    )

    assert recognised is not None
    assert [str(url) for url in recognised.prefixes] == [
        "https://acme.pkgs.visualstudio.com/tools/_packaging/corp/pypi/simple/",
        "https://acme.pkgs.visualstudio.com/tools/_packaging/corp/",
        "https://pkgs.dev.azure.com/acme/tools/_packaging/corp/",
        "https://acme.pkgs.visualstudio.com/DefaultCollection/tools/_packaging/corp/",
    ]
    assert [str(url) for url in recognised.roots] == [
        "https://acme.pkgs.visualstudio.com/",
        "https://pkgs.dev.azure.com/acme/",
    ]


def test_codeartifact_has_both_network_forms_of_its_host() -> None:
    recognised = recognise(parse_service(f"https://{DUAL}/pypi/wheels/simple/"))

    assert recognised is not None
    assert [str(url) for url in recognised.roots] == [
        f"https://{DUAL}/",
        f"https://{DOMAIN}.amazonaws.com/",
    ]


def test_the_forms_of_govcloud_and_china_are_their_own() -> None:
    gov = recognise(
        parse_service("https://acme-111122223333.codeartifact.us-gov-west-1.on.aws/pypi/w/simple/")
    )
    china = recognise(
        parse_service("https://acme-111122223333.d.codeartifact.cn-north-1.amazonaws.com.cn/pypi/w/simple/")
    )

    assert gov is not None
    assert str(gov.roots[1]) == "https://acme-111122223333.d.codeartifact.us-gov-west-1.amazonaws.com/"
    assert china is not None
    assert len(china.roots) == 1


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("pypi/upload/", PUBLISH),
        ("pypi/upload", PUBLISH),
        ("pypi/simple/", READ),
        ("pypi/simple/upload/", READ),
        ("pypi/download/upload/1.0/upload", READ),
        ("upload/", READ),
        ("", READ),
    ],
)
def test_only_the_upload_address_asks_for_write_scope(path: str, scope: str) -> None:
    recognised = recognise(parse_service(AZURE_FEED + path))

    assert recognised is not None
    assert recognised.scope == scope


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)


@given(LABELS, st.sampled_from(["pkgs.dev.azure.com", "acme.pkgs.visualstudio.com", "us-python.pkg.dev"]))
def test_no_host_below_or_above_a_known_one_is_taken_for_it(label: str, host: str) -> None:
    for stranger in (f"{label}.{host}", f"{host}.{label}"):
        assert recognise(Url(Origin("https", stranger, 443), ("acme", "_packaging", "corp"))) is None


@given(
    LABELS,
    st.sampled_from(["pkgs.dev.azure.com", ".pkgs.visualstudio.com", "gitlab.com", "-python.pkg.dev.org"]),
)
def test_a_host_that_only_ends_like_a_known_one_is_a_stranger(label: str, ending: str) -> None:
    host = f"evil.{label}{ending}"

    assert recognise(Url(Origin("https", host, 443), ("acme", "_packaging", "corp"))) is None


@given(st.lists(LABELS, min_size=1, max_size=6), st.lists(st.text(max_size=8), max_size=8))
def test_recognising_never_raises(labels: list[str], segments: list[str]) -> None:
    host = ".".join(labels)

    recognise(Host(host, None))
    recognise(Url(Origin("https", host, 443), tuple(segments)))
    assert default_name(Url(Origin("https", host, 443), tuple(segments)))


@given(LABELS, st.lists(LABELS, max_size=2), LABELS, st.booleans())
def test_every_spelling_of_a_feed_is_recognised_as_itself(
    organisation: str, project: list[str], feed: str, by_name: bool
) -> None:
    host = (
        f"https://{organisation}.pkgs.visualstudio.com"
        if by_name
        else f"https://pkgs.dev.azure.com/{organisation}"
    )
    recognised = recognise(
        parse_service("/".join((host, *project[:1], "_packaging", feed, "pypi", "simple")))
    )

    assert recognised is not None
    again = [recognise(url) for url in (*recognised.prefixes, *recognised.roots)]
    assert {one and one.realm for one in again} == {recognised.realm}


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        (AZURE_FEED, "azure"),
        ("https://us-python.pkg.dev/proj/models/simple/", "google"),
        (f"https://{DOMAIN}.amazonaws.com/pypi/wheels/simple/", "codeartifact"),
        ("https://gitlab.com/api/v4/projects/42/packages/pypi/simple/", "gitlab"),
        ("https://artifactory.example.com/artifactory/api/pypi/internal/simple/", None),
    ],
)
def test_the_host_names_the_provider(url: str, provider: str | None) -> None:
    assert provider_of(parse_url(url)) == provider


@pytest.mark.parametrize(
    ("url", "provider", "realm"),
    [
        (AZURE_FEED, "azure", "azure:acme"),
        (AZURE_FEED, "basic", "basic:https://pkgs.dev.azure.com"),
        (
            "https://gitlab.example.com/api/v4/projects/42/packages/pypi/simple/",
            "gitlab",
            "gitlab:https://gitlab.example.com",
        ),
        (
            "https://gitlab.com/api/v4/projects/42/packages/pypi/simple/",
            "gitlab",
            "gitlab:https://gitlab.com",
        ),
        ("http://localhost:8080/simple/", "command", "command:http://localhost:8080"),
        (
            "https://tfs.example.com/tfs/main/_packaging/corp/pypi/simple/",
            "azure",
            "azure:https://tfs.example.com",
        ),
    ],
)
def test_a_realm_is_what_the_address_names_for_its_provider_else_its_origin(
    url: str, provider: str, realm: str
) -> None:
    assert str(realm_of(parse_url(url), provider)) == realm


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (AZURE_FEED, "corp"),
        ("https://artifactory.example.com/artifactory/api/pypi/internal/simple/", "internal"),
        ("https://nexus.example.com/repository/pypi-hosted/simple", "pypi-hosted"),
        ("https://devpi.example.com/team/prod/+simple/", "prod"),
        ("https://gitlab.example.com/api/v4/projects/42/packages/pypi/simple/", "gitlab"),
        ("https://pypi.example.com/simple/", "pypi"),
        ("http://localhost:8080/simple/", "localhost"),
        ("http://127.0.0.1:8080/simple/", "127.0.0.1"),
        ("http://[::1]:8080/", "1"),
        ("https://[::]/", "feed"),
    ],
)
def test_a_feed_without_a_name_gets_the_one_a_person_would_choose(url: str, name: str) -> None:
    assert default_name(parse_url(url)) == name


@pytest.mark.parametrize(
    ("authority", "organisation"),
    [
        ("acme", "acme"),
        ("codedev.ms/acme", "acme"),
        ("https://tfs.example.com", None),
        ("evil.example/acme", None),
    ],
)
def test_an_azure_realm_gives_its_organisation_back(authority: str, organisation: str | None) -> None:
    found = azure_ring(Realm("azure", authority))

    assert (found and found[1]) == organisation


def test_a_realm_of_another_provider_has_no_azure_organisation() -> None:
    assert azure_ring(Realm("basic", "acme")) is None


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://a.example.com/artifactory/api/pypi/internal/simple/", "artifactory"),
        ("https://a.example.com/artifactory/api/pypi/internal", "artifactory"),
        ("https://packages.example.com/api/pypi/internal/simple/", "artifactory"),
        ("https://n.example.com/repository/internal/simple/", "nexus"),
        ("https://n.example.com/nexus/repository/internal/", "nexus"),
        ("https://git.example.com/relative/api/v4/groups/7/-/packages/pypi/simple/", "gitlab"),
        ("https://git.example.com/api/v4/projects/42/packages/pypi/", "gitlab"),
        ("https://git.example.com/api/v4/projects/42/packages/npm/", None),
        ("https://n.example.com/repository/internal/packages/demo/", None),
        ("https://a.example.com/api/pypi", None),
        ("https://devpi.example.com/root/dev/+simple/", None),
        ("https://example.com/", None),
    ],
)
def test_address_on_anybodys_host_looks_like_a_provider(url: str, provider: str | None) -> None:
    assert likely_provider(parse_url(url)) == provider
