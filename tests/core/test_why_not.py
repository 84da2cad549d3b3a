"""The record of why there is no answer: bounded, one reason a subject, and none that holds no longer."""

from datetime import UTC, datetime

import pytest

from broker.core.why_not import DETAIL_CHARACTERS_MAX, REASONS_MAX, Topic, WhyNot, from_record, to_record

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def test_later_reason_of_a_subject_replaces_the_earlier() -> None:
    why_not = WhyNot()

    why_not.tell(Topic.FEED, "az is signed out", at=NOW, subject="corp")
    why_not.tell(Topic.FEED, "no connection", at=NOW, subject="corp", hint="brokerctl doctor")

    assert [(each.subject, each.detail) for each in why_not.reasons] == [("corp", "no connection")]


def test_reason_that_ended_is_gone_and_told_of() -> None:
    why_not, changes = WhyNot(), []
    why_not.changed = lambda: changes.append(1)
    why_not.tell(Topic.LEARNED_FEEDS, "the table is full", at=NOW)
    why_not.tell(Topic.LEARNED_FEEDS, "the table is full", at=NOW)

    why_not.clear(Topic.LEARNED_FEEDS)
    why_not.clear(Topic.LEARNED_FEEDS)

    assert why_not.reasons == ()
    assert len(changes) == 2


def test_record_is_bounded() -> None:
    why_not = WhyNot()

    for number in range(10_000):
        why_not.tell(Topic.FEED, "x\n" * 10_000, at=NOW, subject=str(number))

    last = range(10_000 - REASONS_MAX, 10_000)
    assert [each.subject for each in why_not.reasons] == [str(number) for number in last]
    assert {len(each.detail) for each in why_not.reasons} == {DETAIL_CHARACTERS_MAX}


def test_record_is_read_as_it_was_written_and_by_its_own_broker_only() -> None:
    why_not = WhyNot()
    why_not.tell(Topic.START, "the disk is full", at=NOW, hint="df -h")
    record = to_record(why_not.reasons, "/run/a.sock")

    assert from_record(record, "/run/a.sock") == why_not.reasons
    assert from_record(record, "/run/b.sock") == ()


REASON = {"topic": "start", "subject": "", "detail": "x", "hint": None, "at": "2026-11-21T09:00:00+00:00"}
WRONG: dict[str, object] = {
    "no object": [],
    "nothing": None,
    "no reasons": {"socket": "s"},
    "a number": {"socket": "s", "reasons": [1]},
    "topic of a newer version": {"socket": "s", "reasons": [REASON | {"topic": "moon"}]},
    "no time": {"socket": "s", "reasons": [REASON | {"at": "noon"}]},
    "no zone": {"socket": "s", "reasons": [REASON | {"at": "2026-11-21T09:00:00"}]},
    "no text": {"socket": "s", "reasons": [REASON | {"detail": 5}]},
}


@pytest.mark.parametrize("record", WRONG.values(), ids=WRONG)
def test_what_is_no_record_has_no_reason(record: object) -> None:
    assert from_record(record, "s") == ()


@pytest.mark.parametrize("topic", Topic)
def test_each_topic_is_a_word(topic: Topic) -> None:
    assert topic.value.replace("-", "").isalpha()
