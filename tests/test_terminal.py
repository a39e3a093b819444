import io
import sys

import pytest

from segdemo import terminal
from segdemo.errors import ModelError
from segdemo.terminal import Faults, ProgressBar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when the test says so."""
    now = [100.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_a_terminal_sees_one_line_drawn_again_with_the_time_left(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with ProgressBar("big/model") as bar:
        bar(0, 10_000_000)
        clock[0] += 2
        bar(5_000_000, 10_000_000)
        clock[0] += 2
        bar(10_000_000, 10_000_000)

    shown = sys.stderr.getvalue()
    assert shown.count("\n") == 1
    assert shown.endswith("\n")
    _, first, half, whole = shown.split("\r\x1b[K")
    assert first == "big/model: [--------------------] 0 %, 0.0 of 10.0 MB"
    assert half == "big/model: [##########----------] 50 %, 5.0 of 10.0 MB, 2 s left"
    assert whole.strip() == "big/model: [####################] 100 %, 10.0 of 10.0 MB"


def test_a_terminal_is_not_redrawn_for_every_block(monkeypatch, clock):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with ProgressBar("m") as bar:
        for done in range(1000):
            clock[0] += 0.001
            bar(done, 1000)

    assert sys.stderr.getvalue().count("\r") <= 11


def test_a_log_gets_a_line_now_and_then(capsys, clock):
    with ProgressBar("m") as bar:
        for done in range(0, 61_000_000, 1_000_000):
            bar(done, 60_000_000)
            clock[0] += 1

    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 7
    assert lines[1] == "m: [###-----------------] 16 %, 10.0 of 60.0 MB, 50 s left"
    assert lines[-1] == "m: [####################] 100 %, 60.0 of 60.0 MB"


def test_what_was_already_here_does_not_count_as_fast(capsys, clock):
    with ProgressBar("m") as bar:
        bar(50_000_000, 100_000_000)
        clock[0] += 10
        bar(51_000_000, 100_000_000)

    assert capsys.readouterr().err.splitlines()[1].endswith(", 8 min left")


def test_an_unknown_size_shows_what_is_done(capsys):
    with ProgressBar("m") as bar:
        bar(1_500_000, None)

    assert capsys.readouterr().err == "m: 1.5 MB\n"


def test_a_bar_that_is_never_called_says_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())

    with ProgressBar("m"):
        pass

    assert sys.stderr.getvalue() == ""


def test_an_expected_error_is_one_line_and_the_rest_goes_on(capsys):
    faults = Faults()
    done = []
    for name in ("a", "b"):
        with faults.told_of(name):
            if name == "a":
                raise ModelError("It is\nbroken.")
            done.append(name)

    assert done == ["b"]
    assert faults.code == 1
    assert capsys.readouterr().err == "segdemo: a: It is broken.\n"


def test_a_name_that_the_error_says_itself_is_not_said_twice(capsys):
    with Faults().told_of("x.jpg"):
        raise ModelError("x.jpg is no picture.")

    assert capsys.readouterr().err == "segdemo: x.jpg is no picture.\n"


def test_a_file_that_is_missing_is_named_with_the_reason(capsys, tmp_path):
    path = tmp_path / "x\x1b[31m.jpg"
    with Faults().told_of(str(path)):
        path.read_bytes()

    assert capsys.readouterr().err == f"segdemo: {tmp_path}/x?[31m.jpg: No such file or directory\n"


def test_an_unexpected_error_is_one_line_with_the_path_of_its_trace(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(terminal.tempfile, "tempdir", str(tmp_path))
    faults = Faults()
    for number in (1, 2):
        with faults.told_of("m"):
            raise RuntimeError(f"secret {number}")

    [log] = tmp_path.iterdir()
    first, second = capsys.readouterr().err.splitlines()
    assert first == second == f"segdemo: m: unexpected RuntimeError; the details are in {log}"
    assert "Traceback" in log.read_text()
    assert "secret 1" in log.read_text()
    assert "secret 2" in log.read_text()


def test_an_unexpected_error_is_told_even_where_no_log_can_be_written(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(terminal.tempfile, "tempdir", str(tmp_path / "missing"))
    with Faults().told_of("m"):
        raise RuntimeError("boom")

    assert capsys.readouterr().err.startswith("segdemo: m: unexpected RuntimeError; no log could be written")


def test_an_interruption_is_not_swallowed():
    with pytest.raises(KeyboardInterrupt), Faults().told_of("m"):
        raise KeyboardInterrupt
