import logging

import pytest

from broker.server.log_throttle import MESSAGES_MAX, PERIOD_S, RECORDS, Quota


def record(message: str, at_s: float, *args: object) -> logging.LogRecord:
    made = logging.LogRecord("test", logging.WARNING, __file__, 1, message, args, None)
    made.created = at_s
    return made


def test_a_message_is_said_so_often_and_then_no_more() -> None:
    quota = Quota([])

    said = [quota.filter(record("refused %s", 100.0 + n, n)) for n in range(RECORDS * 3)]

    assert said == [True] * RECORDS + [False] * RECORDS * 2


def test_another_message_has_a_quota_of_its_own() -> None:
    quota = Quota([])
    for _ in range(RECORDS * 2):
        quota.filter(record("one", 100.0))

    assert quota.filter(record("other", 100.0))


@pytest.mark.parametrize("later_s", [PERIOD_S, -1.0])
def test_the_next_period_tells_what_was_not_said(later_s: float) -> None:
    quota = Quota([])
    for n in range(RECORDS + 7):
        quota.filter(record("refused %s", 100.0, n))
    late = record("refused %s", 100.0 + later_s, "late")

    assert quota.filter(late)
    assert late.getMessage() == "refused late (and 7 like it before)"


def test_counting_takes_no_more_memory_than_its_limit() -> None:
    quota = Quota([])

    for n in range(MESSAGES_MAX * 3):
        quota.filter(record(f"message {n}", 100.0))

    assert len(quota._counts) <= MESSAGES_MAX


def test_it_holds_from_start_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tests.quota")
    quota = Quota(["tests.quota"])

    quota.start()
    for _ in range(RECORDS * 2):
        log.warning("again")
    quota.stop()
    log.warning("after")

    assert caplog.messages == ["again"] * RECORDS + ["after"]
