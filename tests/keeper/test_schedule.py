"""The schedule: whose time has come, and who is next in line."""

from broker.core.feeds import Feed, Realm
from broker.core.moment import Moment
from broker.core.refresh import Slot
from broker.core.urls import parse_url
from broker.keeper.schedule import Schedule
from broker.keeper.slot_entry import SlotEntry
from tests.fake_clock import START


def entry(name: str = "corp") -> SlotEntry:
    feed = Feed(name, Realm("fake", name), (parse_url(f"https://{name}.example/simple/"),))
    return SlotEntry(Slot(feed.key()), feed, used=START, since=START.wall)


def test_each_is_due_at_its_time_and_once() -> None:
    schedule, early, late = Schedule(), entry("early"), entry("late")
    schedule.look_at(late, START.after(20), START)
    schedule.look_at(early, START.after(10), START)

    assert schedule.left_s(START) == 10
    assert list(schedule.due(START.after(9))) == []
    assert list(schedule.due(START.after(10))) == [early]
    assert schedule.left_s(START.after(15)) == 5
    assert list(schedule.due(START.after(100))) == [late]
    assert schedule.left_s(START.after(100)) == float("inf")


def test_the_clock_that_is_first_counts() -> None:
    schedule, one = Schedule(), entry()
    wall_first = Moment(START.after(5).wall, START.after(25).boot_s)
    schedule.look_at(one, wall_first, START)

    assert list(schedule.due(START.after(5))) == [one]


def test_who_was_fetched_or_dropped_meanwhile_waits_no_more() -> None:
    schedule, fetched, dropped, waiting = Schedule(), entry("a"), entry("b"), entry("c")
    for each in (fetched, dropped, waiting):
        schedule.line_up(each, can_wait=False)
    fetched.fetches += 1
    dropped.drop()

    assert schedule.first_in_line() is waiting
    waiting.drop()
    assert schedule.first_in_line() is None


def test_who_cannot_wait_is_first_and_the_others_keep_their_order() -> None:
    schedule, one, another, pressing = Schedule(), entry("a"), entry("b"), entry("c")
    schedule.line_up(one, can_wait=True)
    schedule.line_up(another, can_wait=True)
    schedule.line_up(pressing, can_wait=False)

    served = []
    while (first := schedule.first_in_line()) is not None:
        served.append(first)
        first.fetches += 1

    assert served == [pressing, one, another]


def test_a_round_begins_anew() -> None:
    schedule, one = Schedule(), entry()
    schedule.look_at(one, START, START)
    schedule.line_up(one, can_wait=True)

    schedule.clear()

    assert list(schedule.due(START)) == []
    assert schedule.first_in_line() is None
