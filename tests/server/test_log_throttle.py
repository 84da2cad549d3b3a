import logging

import pytest

from broker.server.log_throttle import MESSAGES_MAX, PERIOD_S, RECORDS, LogThrottle


def record(message: str, at_s: float, *args: object) -> logging.LogRecord:
    made = logging.LogRecord("test", logging.WARNING, __file__, 1, message, args, None)
    made.created = at_s
    return made


def test_a_message_is_said_so_often_and_then_no_more() -> None:
    throttle = LogThrottle([])

    said = [throttle.filter(record("refused %s", 100.0 + n, n)) for n in range(RECORDS * 3)]

    assert said == [True] * RECORDS + [False] * RECORDS * 2


def test_another_message_has_a_quota_of_its_own() -> None:
    throttle = LogThrottle([])
    for _ in range(RECORDS * 2):
        throttle.filter(record("one", 100.0))

    assert throttle.filter(record("other", 100.0))


@pytest.mark.parametrize("later_s", [PERIOD_S, -1.0])
def test_the_next_period_tells_what_was_not_said(later_s: float) -> None:
    throttle = LogThrottle([])
    for n in range(RECORDS + 7):
        throttle.filter(record("refused %s", 100.0, n))
    late = record("refused %s", 100.0 + later_s, "late")

    assert throttle.filter(late)
    assert late.getMessage() == "refused late (and 7 like it before)"


def test_counting_takes_no_more_memory_than_its_limit() -> None:
    throttle = LogThrottle([])

    for n in range(MESSAGES_MAX * 3):
        throttle.filter(record(f"message {n}", 100.0))

    assert len(throttle._counts) <= MESSAGES_MAX


def test_it_holds_from_start_to_stop(caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger("tests.quota")
    throttle = LogThrottle(["tests.quota"])

    throttle.start()
    for _ in range(RECORDS * 2):
        log.warning("again")
    throttle.stop()
    log.warning("after")

    assert caplog.messages == ["again"] * RECORDS + ["after"]
