import signal
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest

from segdemo.errors import ResultsError
from segdemo.extras import Extras
from segdemo.labels import CAMVID
from segdemo.results import FIRST_RUNS, SCHEMA, Picture, Results, RunIdentity

IDENTITY = RunIdentity("starter/fcn", "abc", "fp32", "streets", "0" * 64, CAMVID, 50)


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "inner" / "results.sqlite")


def test_what_is_kept_comes_back_in_the_order_of_the_data_set(results: Results):
    run = results.begin(IDENTITY, {"device": "CPU"})
    skipped = Picture(2, "c.png", None, "does not decode")
    for picture in (skipped, Picture(0, "a.png", b"123", None), Picture(1, "b.png", b"", None)):
        results.add(run, picture)
    assert [p.name for p in results.pictures(run)] == ["a.png", "b.png", "c.png"]
    assert list(results.pictures(run))[2] == skipped
    assert results.done(run) == {0, 1, 2}
    [found] = Results(results.path).runs()
    assert (found.identity, found.environment, found.finished) == (IDENTITY, {"device": "CPU"}, None)


def test_a_run_of_the_same_identity_goes_on_and_any_difference_begins_anew(results: Results):
    run = results.begin(IDENTITY, {})
    results.finish(run)
    again = results.begin(IDENTITY, {})
    assert again.id == run.id
    assert again.finished is not None
    changes = ({"weights": "abd"}, {"limit": 51}, {"precision": "bf16"}, {"extras": Extras(512, "flip", "crf")})
    others = [replace(IDENTITY, **change) for change in changes]
    assert len({results.begin(identity, {}).id for identity in [IDENTITY, *others]}) == 5
    assert [run.identity for run in results.runs()] == [*reversed(others), IDENTITY]


def test_a_picture_that_is_already_kept_stays(results: Results):
    run = results.begin(IDENTITY, {})
    results.add(run, Picture(0, "a.png", b"first", None))
    results.add(run, Picture(0, "a.png", b"second", None))
    [picture] = results.pictures(run)
    assert picture.scores == b"first"


def test_a_deleted_run_takes_its_pictures_with_it(results: Results):
    run = results.begin(IDENTITY, {})
    results.add(run, Picture(0, "a.png", b"", None))
    results.delete(run)
    assert results.runs() == []
    assert list(results.pictures(run)) == []


def test_finished_runs_of_another_file_are_taken_over_once(results: Results, tmp_path: Path):
    other = Results(tmp_path / "other.sqlite")
    finished, unfinished = (other.begin(replace(IDENTITY, limit=n), {"device": "CPU"}) for n in (1, 2))
    other.add(finished, Picture(0, "a.png", b"123", None))
    other.finish(finished)
    known = other.begin(IDENTITY, {})
    other.finish(known)
    own = results.begin(IDENTITY, {"device": "GPU"})
    copy = tmp_path / "copy.sqlite"
    other.copy_to(copy)
    copy.chmod(0o444)

    for _ in range(2):
        results.adopt(copy)

    adopted, kept = results.runs()
    assert (adopted.identity, adopted.environment) == (finished.identity, {"device": "CPU"})
    assert list(results.pictures(adopted)) == [Picture(0, "a.png", b"123", None)]
    assert kept == own
    assert unfinished.identity not in (run.identity for run in results.runs())


WRITER = """
    import sys
    from pathlib import Path
    from segdemo.labels import CAMVID
    from segdemo.results import Picture, Results, RunIdentity
    path, first, step = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    results = Results(path)
    run = results.begin(RunIdentity("starter/fcn", "abc", "fp32", "streets", "0" * 64, CAMVID, 50), {})
    for position in range(first, 400, step):
        results.add(run, Picture(position, str(position), bytes(2000), None))
        print(position, flush=True)
"""


def writer(path: Path, first: int, step: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), str(path), str(first), str(step)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_two_processes_write_at_once_and_lose_nothing(tmp_path: Path):
    path = tmp_path / "results.sqlite"
    writers = [writer(path, first, 2) for first in (0, 1)]
    assert [process.communicate(timeout=120) and process.returncode for process in writers] == [0, 0]
    results = Results(path)
    [run] = results.runs()
    assert results.done(run) == set(range(400))


def test_a_killed_process_loses_at_most_the_picture_in_hand(tmp_path: Path):
    path = tmp_path / "results.sqlite"
    process = writer(path, 0, 1)
    assert process.stdout is not None
    told = [int(next(process.stdout)) for _ in range(50)]
    process.send_signal(signal.SIGKILL)
    told += [int(line) for line in process.communicate()[0].split()]
    results = Results(path)
    [run] = results.runs()
    assert set(told) <= results.done(run)
    assert len(results.done(run)) <= len(told) + 1


def test_a_file_that_is_no_database_or_of_another_version_is_named(tmp_path: Path):
    path = tmp_path / "results.sqlite"
    path.write_bytes(b"x" * 5000)
    with pytest.raises(ResultsError, match=r"results\.sqlite"):
        Results(path)
    newer = Results(tmp_path / "newer.sqlite")
    with newer._connected() as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(ResultsError, match="another version"):
        Results(newer.path)


def test_a_folder_that_cannot_be_made_is_told_in_one_sentence(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="cannot be kept"):
        Results(tmp_path / "file" / "results.sqlite")


def test_the_environment_variable_decides_where_results_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("SEGDEMO_RESULTS", str(tmp_path / "mine.sqlite"))
    assert Results().path == tmp_path / "mine.sqlite"


def test_runs_from_before_there_were_extras_have_none_and_go_on(results: Results):
    run = results.begin(IDENTITY, {})
    with results._connected() as connection:
        assert "extras" not in connection.execute("SELECT identity FROM runs").fetchone()[0]
        connection.execute("PRAGMA user_version = 2")
    again = Results(results.path)
    assert again.begin(IDENTITY, {}).id == run.id
    assert [found.identity.extras for found in again.runs()] == [Extras()]
    with again._connected() as connection:
        assert connection.execute("PRAGMA user_version").fetchone()[0] == SCHEMA


def test_the_runs_that_come_along_are_taken_over(results: Results):
    results.adopt(FIRST_RUNS)
    assert len(results.runs()) > 3
    assert {run.identity.extras for run in results.runs()} == {Extras()}
