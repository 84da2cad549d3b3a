"""Files that one version leaves and another one reads: their names and what is in them."""

import json
from datetime import UTC, datetime
from pathlib import Path

import broker.ctl.setup.all_users
import broker.ctl.setup.system_broker
import broker.server.listen
from broker.core.feeds import Feed, Realm
from broker.core.login_progress import Kept, LoginMethod
from broker.core.moment import Moment
from broker.core.share_grant import Grant, from_record, to_record
from broker.core.urls import parse_url
from broker.providers.azure.login_store import LoginStore
from broker.providers.azure.settings import AzureSettings


def test_files_that_another_version_looks_for_have_their_names() -> None:
    assert broker.server.listen.LOCK_NAME == "broker.lock"
    assert broker.ctl.setup.all_users.JOURNAL == "/var/lib/token-broker/setup/all-users"
    assert broker.ctl.setup.system_broker.JOURNAL == "/var/lib/token-broker/setup/system"


def test_a_share_that_an_earlier_daemon_granted_is_read() -> None:
    ends = Moment(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 7.5)
    record = {
        "name": "dev",
        "feeds": ["corp"],
        "for_s": 60.0,
        "ends_at": "2026-01-02T03:04:05+00:00",
        "ends_boot_s": 7.5,
    }

    assert from_record(record) == Grant("dev", ("corp",), 60.0, ends)
    assert to_record(from_record(record)) == record


def test_a_sign_in_that_an_earlier_daemon_saved_is_found(tmp_path: Path) -> None:
    record = {"authority": "login.microsoftonline.com", "username": "dev@acme.example"}
    saved = {"way": "device-code", "kept": "file", "tenant": "t", "made_at": "2026-01-02T03:04:05+00:00"}
    folder = tmp_path / ".IdentityService" / "token-broker"
    folder.mkdir(parents=True)
    (folder / "acme,dev@acme.example.json").write_text(json.dumps({**saved, "record": record}))
    feed = Feed("corp", Realm("azure", "acme"), (parse_url("https://feed.example/simple/"),))
    sign_ins = LoginStore({}, {"HOME": str(tmp_path)})

    found = sign_ins.find(feed, AzureSettings(account="dev@acme.example"))

    assert found is not None
    assert (found.account, found.terms.way, found.terms.kept) == (
        "dev@acme.example",
        LoginMethod.DEVICE_CODE,
        Kept.FILE,
    )
