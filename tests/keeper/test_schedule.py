"""The agenda: whose time has come, and who is next in line."""

from broker.core.feeds import Feed, Realm
from broker.core.refresh import Moment, Slot
from broker.core.urls import parse_url
from broker.keeper.schedule import Agenda
from broker.keeper.slot_table import Entry
from tests.fake_clock import START


def entry(name: str = "corp") -> Entry:
    feed = Feed(name, Realm("fake", name), (parse_url(f"https://{name}.example/simple/"),))
    return Entry(Slot(feed.key()), feed, used=START, since=START.wall)


def test_each_is_due_at_its_time_and_once() -> None:
    agenda, early, late = Agenda(), entry("early"), entry("late")
    agenda.look_at(late, START.after(20), START)
    agenda.look_at(early, START.after(10), START)

    assert agenda.left_s(START) == 10
    assert list(agenda.due(START.after(9))) == []
    assert list(agenda.due(START.after(10))) == [early]
    assert agenda.left_s(START.after(15)) == 5
    assert list(agenda.due(START.after(100))) == [late]
    assert agenda.left_s(START.after(100)) == float("inf")


def test_the_clock_that_is_first_counts() -> None:
    agenda, one = Agenda(), entry()
    wall_first = Moment(START.after(5).wall, START.after(25).boot_s)
    agenda.look_at(one, wall_first, START)

    assert list(agenda.due(START.after(5))) == [one]


def test_who_was_fetched_or_dropped_meanwhile_waits_no_more() -> None:
    agenda, fetched, dropped, waiting = Agenda(), entry("a"), entry("b"), entry("c")
    for each in (fetched, dropped, waiting):
        agenda.line_up(each, can_wait=False)
    fetched.fetches += 1
    dropped.drop()

    assert agenda.first_in_line() is waiting
    waiting.drop()
    assert agenda.first_in_line() is None


def test_who_cannot_wait_is_first_and_the_others_keep_their_order() -> None:
    agenda, one, another, pressing = Agenda(), entry("a"), entry("b"), entry("c")
    agenda.line_up(one, can_wait=True)
    agenda.line_up(another, can_wait=True)
    agenda.line_up(pressing, can_wait=False)

    served = []
    while (first := agenda.first_in_line()) is not None:
        served.append(first)
        first.fetches += 1

    assert served == [pressing, one, another]


def test_a_round_begins_anew() -> None:
    agenda, one = Agenda(), entry()
    agenda.look_at(one, START, START)
    agenda.line_up(one, can_wait=True)

    agenda.clear()

    assert list(agenda.due(START)) == []
    assert agenda.first_in_line() is None
