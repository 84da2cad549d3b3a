"""What the doctor finds about feeds, sign-ins and the network: each finding, and the room without it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from broker.core.secret_source import providing
from broker.ctl.doctor import asked_feeds, feed_addresses, network, sign_in_checks
from broker.ctl.doctor.context import BrokerAnswer
from broker.ctl.doctor.server_clock import server_date
from broker.ctl.status.record import broker_status, feed_status
from broker.host.clock import SystemClock
from tests.ctl.clinic import found
from tests.ctl.found_feeds import broker, empty_handed, feed
from tests.fakes.http1 import Request, Response
from tests.fakes.loopback import WebServer

if TYPE_CHECKING:
    from tests.ctl.clinic import Clinic

GITLAB = "https://gitlab.com/api/v4"
AZURE = "https://pkgs.dev.azure.com"
ENTRA = 'token = "entra" in each [[feed]]: one token for the tenant'
ONE_AT_A_TIME = "install from one of them at a time, or ask for an address of its own"
WITH_PASSWORD = '[[feed]]\nurl = "https://a.example/"\nprovider = "basic"\nsecret = "env:FEED_PASSWORD"\n'


@pytest.mark.parametrize(
    ("addresses", "count"),
    [
        ([f"{GITLAB}/groups/acme/-/packages/pypi/simple/"], 1),
        ([f"{GITLAB}/groups/acme/-/packages/pypi/simple/", f"{GITLAB}/projects/"], 0),
        ([f"{GITLAB}/groups/acme/-/packages/pypi/simple/", f"{GITLAB}/projects/7/packages/pypi/"], 0),
        ([f"{GITLAB}/groups/1234567/-/packages/pypi/simple/"], 0),
        ([f"{GITLAB}/projects/7/packages/pypi/simple/"], 0),
    ],
)
def test_gitlab_name_without_the_numbers_of_its_files_is_found(
    clinic: Clinic, addresses: list[str], count: int
) -> None:
    also = ", ".join(f'"{address}"' for address in addresses[1:])
    clinic.configure(f'[[feed]]\nname = "x"\nurl = "{addresses[0]}"\nalso = [{also}]\nprovider = "gitlab"\n')

    warnings = found(feed_addresses.gitlab_by_number, clinic.room())

    assert len(warnings) == count
    assert all(repair == f'also = ["{GITLAB}/projects/"]' for _, _, repair in warnings)


def azure(organisation: str, name: str, tenant: str) -> str:
    url = f"{AZURE}/{organisation}/_packaging/{name}/pypi/simple/"
    return f'[[feed]]\nname = "{name}"\nurl = "{url}"\ntenant = "{tenant}"\n'


def basic(name: str, username: str, host: str = "packages.example") -> str:
    url = f"https://{host}/{name}/"
    settings = f'provider = "basic"\nusername = "{username}"\nsecret = "env:X"'
    return f'[[feed]]\nname = "{name}"\nurl = "{url}"\n{settings}\n'


@pytest.mark.parametrize(
    ("config", "repair"),
    [
        (azure("acme", "a", "t") + azure("acme", "b", "t"), None),
        (azure("acme", "a", "t") + azure("labs", "b", "t"), ENTRA),
        (azure("acme", "a", "t") + azure("labs", "b", "u"), "use https://labs.pkgs.visualstudio.com/ for b"),
        (basic("a", "me") + basic("b", "me"), None),
        (basic("a", "me") + basic("b", "you", "other.example"), None),
        (basic("a", "me") + basic("b", "you"), ONE_AT_A_TIME),
    ],
)
def test_two_tokens_on_one_host_are_found(clinic: Clinic, config: str, repair: str | None) -> None:
    clinic.configure(config)

    repairs = [repair for _, _, repair in found(feed_addresses.one_credential_per_host, clinic.room())]

    assert repairs == ([] if repair is None else [repair])


@pytest.mark.parametrize(
    ("tenant", "repair"), [("t", ENTRA), (None, "use https://labs.pkgs.visualstudio.com/ for b")]
)
def test_tenant_that_nobody_configured_is_the_one_of_the_sign_in(
    clinic: Clinic, tenant: str | None, repair: str
) -> None:
    clinic.configure((azure("acme", "a", "t") + azure("labs", "b", "t")).replace('tenant = "t"\n', ""))
    urls = [f"{AZURE}/labs/_packaging/b/pypi/simple/"]
    signed_in = [feed("a", tenant="t"), feed("b", realm="azure:labs", tenant=tenant, urls=urls)]

    warnings = found(feed_addresses.one_credential_per_host, clinic.room(broker(*signed_in)))

    assert [repair for _, _, repair in warnings] == [repair]


def test_sign_in_that_works_here_and_not_in_the_service_is_led_there_and_no_secret_by_setup(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`setup` copies PATH and its like, never a secret."""
    monkeypatch.setenv("FEED_PASSWORD", "sesame")
    table = '[[feed]]\nname = "{0}"\nurl = "https://{0}.example/"\nprovider = "basic"\nverify = false\n'
    secrets = {"here": "FEED_PASSWORD", "kept": "FEED_PASSWORD", "nowhere": "NOBODY_SET_THIS"}
    clinic.configure(
        "".join(f'{table.format(name)}secret = "env:{secret}"\n' for name, secret in secrets.items())
    )
    in_file = providing("FEED_PASSWORD", {})
    hints = {"here": "az login", "kept": in_file, "nowhere": "do it"}
    failing = [
        empty_handed(name, "sign-in-needed", error="not set", hint=hint) for name, hint in hints.items()
    ]

    problems = found(asked_feeds.feeds_take_the_tokens, clinic.room(broker(*failing)))

    said = "the sign-in works in this shell but not in the service (not set)"
    assert problems == [
        ("problem", f"here: {said}", "brokerctl setup"),
        ("problem", f"kept: {said}", in_file),
        ("problem", "nowhere: not set", "do it"),
    ]


def test_a_failed_renewal_is_a_warning_while_the_token_lives(clinic: Clinic) -> None:
    renewing = feed("corp", state="failing", error="no connection", hint="curl https://x.example")

    warnings = found(asked_feeds.feeds_take_the_tokens, clinic.room(broker(renewing)))

    assert warnings == [("warning", "corp: no connection; its token lives on", "curl https://x.example")]


@pytest.mark.parametrize("is_usable", [False, True])
@pytest.mark.usefixtures("shell_of_no_use")
def test_the_doctor_names_no_page_that_says_no_more_where_a_feed_names_the_doctor(
    clinic: Clinic, is_usable: bool
) -> None:
    url = "https://a.example/simple/?a&b"
    failing = feed(
        "corp", urls=[url], usable=is_usable, state="failing", error="no connection", hint="brokerctl doctor"
    )

    findings = found(asked_feeds.feeds_take_the_tokens, clinic.room(broker(failing)))

    assert [repair for _, _, repair in findings] == [f"brokerctl explain '{url}'"]


@pytest.mark.usefixtures("shell_of_no_use")
def test_no_of_the_feed_to_a_token_that_looks_fresh_is_found(clinic: Clinic) -> None:
    refused = feed("corp", usable=False, state="refused", verdict="rejected", error="no right", hint="do it")
    room = clinic.room(broker(feed("corp", verdict="accepted")), asked=[refused])

    assert found(asked_feeds.feeds_take_the_tokens, room) == [("problem", "corp: no right", "do it")]


def test_feed_of_the_system_broker_that_says_no_is_found(clinic: Clinic) -> None:
    room = clinic.room()
    refused = feed("corp", usable=False, state="refused", verdict="rejected", error="no right", hint="do it")
    room.ask_system = lambda: BrokerAnswer(broker_status(broker(refused)))

    assert found(asked_feeds.feeds_take_the_tokens, room) == [
        ("problem", "the system broker: corp: no right", "do it")
    ]


@pytest.mark.parametrize(
    ("service", "here", "is_better"),
    [
        ("rejected", "accepted", True),
        ("rejected", "unknown", False),
        ("rejected", "rejected", False),
        ("unknown", "accepted", True),
        ("unknown", "unknown", True),
        ("unknown", "rejected", False),
    ],
)
def test_sign_in_of_this_shell_is_better_only_where_the_feed_does_not_say_otherwise(
    service: str, here: str, is_better: bool
) -> None:
    of_service = feed_status(empty_handed("corp", "refused", verdict=service))

    assert asked_feeds.is_better(feed_status(feed("corp", verdict=here)), of_service) is is_better
    assert not asked_feeds.is_better(None, of_service)


def test_feed_that_could_not_be_asked_is_found_although_its_token_is_served(clinic: Clinic) -> None:
    why = "the feed could not be asked: corp.example cannot be reached: connection refused"
    silent = feed("corp", verdict="accepted", unverified=why)

    assert found(asked_feeds.feeds_take_the_tokens, clinic.room(broker(silent))) == [
        ("warning", f"corp: {why}", f"brokerctl explain {silent['urls'][0]}")
    ]


def test_sign_ins_that_work_start_nothing(clinic: Clinic) -> None:
    assert found(asked_feeds.feeds_take_the_tokens, clinic.room(broker(feed("corp")))) == []


def test_key_of_a_feed_that_only_the_site_gives_an_address_counts(clinic: Clinic) -> None:
    clinic.configure_site(azure("acme", "a", "t") + azure("labs", "b", "u"))
    clinic.configure('[[feed]]\nname = "b"\ntenant = "t"\n')

    repairs = [repair for _, _, repair in found(feed_addresses.one_credential_per_host, clinic.room())]

    assert repairs == [ENTRA]


def test_feed_in_place_of_the_sites_of_its_address_is_the_only_one(clinic: Clinic) -> None:
    clinic.configure_site(basic("a", "everybody"))
    clinic.configure(basic("a", "me").replace('name = "a"', 'name = "mine"'))

    assert [(each.name, each.settings["username"]) for each in clinic.room().feeds] == [("mine", "me")]


def test_secret_that_ends_soon_is_found(clinic: Clinic) -> None:
    said = "the secret from file:~/x ends on 2026-11-27: put another into file:~/x"
    room = clinic.room(broker(feed("corp"), feed("libs", warning=said)))

    assert found(sign_in_checks.secrets_last, room) == [("warning", f"libs: {said}", None)]


@pytest.mark.parametrize(
    ("environ", "env", "names"),
    [
        ({"SYSTEM_ACCESSTOKEN": "t"}, "", ["SYSTEM_ACCESSTOKEN"]),
        ({"FEED_PASSWORD": "t"}, "", ["FEED_PASSWORD"]),
        ({"CODEARTIFACT_AUTH_TOKEN": "t"}, "", ["CODEARTIFACT_AUTH_TOKEN"]),
        ({"CLOUDSMITH_API_KEY": "t", "CI_JOB_TOKEN": "t"}, "", ["CI_JOB_TOKEN", "CLOUDSMITH_API_KEY"]),
        ({"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": "/t"}, "", ["CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"]),
        ({"FEED_PASSWORD": "t"}, 'FEED_PASSWORD = "t"', []),
        ({"EDITOR": "vi"}, "", []),
    ],
)
def test_token_that_the_service_cannot_see_is_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], env: str, names: list[str]
) -> None:
    clinic.systemd(monkeypatch)
    clinic.environ |= environ
    clinic.configure(f"[env]\n{env}\n{WITH_PASSWORD}")

    sayings = [said for _, said, _ in found(sign_in_checks.service_sees_the_tokens, clinic.room())]

    assert sayings == [
        f"{name} is set in this shell; the service cannot see it, and `exec` can" for name in names
    ]


@pytest.mark.parametrize(
    ("az", "usable", "repair"),
    [
        (None, False, "brokerctl login corp"),
        ("exit 1", False, "az login"),
        ("exit 124", False, "az account show --debug"),
        ("exit 0", False, None),
        (None, True, None),
    ],
)
def test_az_that_is_missing_or_signed_out_is_found(
    clinic: Clinic, az: str | None, *, usable: bool, repair: str | None
) -> None:
    if az is not None:
        clinic.program("az", az)
    room = clinic.room(broker(feed("corp") if usable else empty_handed("corp", "sign-in-needed")))

    repairs = [repair for _, _, repair in found(sign_in_checks.az_is_signed_in, room)]

    assert repairs == ([] if repair is None else [repair])


def test_az_is_asked_where_no_project_has_modules_for_it(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    clinic.program("az", 'pwd >"$HOME/asked_from"')
    monkeypatch.chdir(clinic.project)

    list(sign_in_checks.az_is_signed_in(clinic.room(broker(empty_handed("corp", "sign-in-needed")))))

    assert (clinic.home / "asked_from").read_text() == "/\n"


@pytest.mark.parametrize(
    ("here", "there", "said"),
    [
        ("http://p:1", None, "HTTPS_PROXY is unknown in the service"),
        ("http://p:1", "http://q:1", "HTTPS_PROXY is another one in the service"),
        ("http://p:1", "http://p:1", None),
        (None, "http://q:1", None),
    ],
)
def test_proxy_that_the_service_does_not_have_is_found(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, here: str | None, there: str | None, said: str | None
) -> None:
    clinic.systemd(monkeypatch)
    if here is not None:
        clinic.environ["HTTPS_PROXY"] = here
    if there is not None:
        clinic.write("~/.config/token-broker/env.toml", f'[env]\nHTTPS_PROXY = "{there}"\n')

    sayings = [said for _, said, _ in found(network.service_has_the_network_settings, clinic.room())]

    assert sayings == ([] if said is None else [said])


@pytest.mark.parametrize(
    ("config", "environ", "count"),
    [
        ('ca = "/gone/ca.pem"', {}, 1),
        ('ca = "~/ca.pem"', {}, 0),
        ('ca = "system"', {}, 0),
        ("", {"SSL_CERT_FILE": "/gone/ca.pem"}, 1),
        ("", {}, 0),
    ],
)
def test_certificates_that_are_not_there_are_found(
    clinic: Clinic, config: str, environ: dict[str, str], count: int
) -> None:
    clinic.write("~/ca.pem", "")
    clinic.configure(config)
    clinic.environ |= environ

    assert len(found(network.certificates_are_there, clinic.room())) == count


@pytest.mark.parametrize(
    ("ahead_s", "how"), [(300, "300 s ahead"), (-300, "300 s behind"), (5, None), (-5, None), (None, None)]
)
def test_clock_that_is_wrong_is_found(clinic: Clinic, ahead_s: int | None, how: str | None) -> None:
    date = None if ahead_s is None else SystemClock().now().wall - timedelta(seconds=ahead_s)
    room = clinic.room(broker(feed("corp")), date=date)

    sayings = [said for _, said, _ in found(network.clocks_agree, room)]

    assert len(sayings) == (how is not None)
    assert all((how or "") in said for said in sayings)


@pytest.mark.parametrize("status", [200, 401, 404])
def test_time_of_a_server_is_told_whatever_it_answers(status: int) -> None:
    def tell(_: Request) -> Response:
        return Response(status, headers=(("Date", "Sat, 21 Nov 2026 09:45:00 GMT"),))

    with WebServer(tell) as server:
        date = server_date(server.url)

    assert date is not None
    assert date.isoformat() == "2026-11-21T09:45:00+00:00"


@pytest.mark.parametrize(
    "told", ["Sat, 21 Nov 2026 09:45:00 -0000", "Sat, 21 Nov 2026 09:45:00 +99999999999999", "soon"]
)
def test_time_of_a_server_that_cannot_be_meant_is_unknown(told: str) -> None:
    with WebServer(lambda _: Response(200, headers=(("Date", told),))) as server:
        assert server_date(server.url) is None


def test_time_of_a_server_that_is_not_there_is_unknown() -> None:
    assert server_date("http://127.0.0.1:9/") is None
