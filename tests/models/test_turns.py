import threading
import time

import pytest

from segdemo.models.turns import Turns

SOON_S = 0.05
LATE_S = 20.0


def start(turn, entered: threading.Event, leave: threading.Event) -> threading.Thread:
    def run() -> None:
        with turn:
            entered.set()
            leave.wait(LATE_S)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.fixture
def events():
    made = [threading.Event() for _ in range(6)]
    yield made
    for event in made:
        event.set()


def test_company_goes_in_together(events):
    turns, (first, second, leave, *_) = Turns(), events
    threads = [start(turns.together(), entered, leave) for entered in (first, second)]
    assert first.wait(LATE_S)
    assert second.wait(LATE_S)
    leave.set()
    for thread in threads:
        thread.join(LATE_S)


def test_alone_means_alone(events):
    turns, (first, alone, after, leave_first, leave_alone, leave_after) = Turns(), events
    start(turns.together(), first, leave_first)
    assert first.wait(LATE_S)
    start(turns.alone(), alone, leave_alone)
    time.sleep(SOON_S)
    assert not alone.is_set()  # there is company

    start(turns.together(), after, leave_after)
    time.sleep(SOON_S)
    assert not after.is_set()  # who waits to be alone goes first

    leave_first.set()
    assert alone.wait(LATE_S)
    time.sleep(SOON_S)
    assert not after.is_set()

    leave_alone.set()
    assert after.wait(LATE_S)


def test_a_turn_that_fails_is_over():
    turns = Turns()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), turns.alone():
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), turns.together():
            raise ZeroDivisionError
