"""Evaluation runs and benchmarks in one SQLite file: what ran on what, and what was counted on every picture.

Counts know nothing of conventions, so any score can be taken from a run later without running the model again. Several
processes may write at once (write-ahead log), and each picture is committed on its own: a killed run goes on after the
last picture that it finished.
"""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from segdemo.errors import ResultsError
from segdemo.extras import Extras
from segdemo.labels import LabelSpace
from segdemo.models import Precision
from segdemo.models.weights import STARTERS

SCHEMA = 3
_READABLE = (2, SCHEMA)  # a run of 2 has no extras and no name for them, which means the same in 3
FIRST_RUNS = STARTERS / "first_runs.sqlite"  # the starters on generated scenes, by `benchmarks/first_runs.py`
_WAIT_S = 30.0  # for another process's write to end

# Added to a file of the same schema that lacks it; nothing else has changed.
_LATER = "CREATE TABLE IF NOT EXISTS benchmarks (id INTEGER PRIMARY KEY, record TEXT NOT NULL)"
_TABLES = f"""
{_LATER};
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    identity TEXT NOT NULL,
    model TEXT NOT NULL,
    dataset TEXT NOT NULL,
    pictures INTEGER NOT NULL,
    environment TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT
);
CREATE INDEX runs_by_identity ON runs (identity);
CREATE TABLE pictures (
    run INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    scores BLOB,
    skipped TEXT,
    PRIMARY KEY (run, position)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class RunIdentity:
    """Two runs with the same identity give the same counts.

    weights: what tells one set of weights from another: a commit, a hash. dataset_digest: as `Dataset.digest`.
    limit: how many pictures of the data set, from its first. extras: as asked for; on a picture, `Extras.on` tells.
    """

    model: str
    weights: str
    precision: Precision
    dataset: str
    dataset_digest: str
    space: LabelSpace
    limit: int
    extras: Extras = Extras()

    def text(self) -> str:
        """As JSON; the label space with all its fields, so that a run can be read without the data set."""
        record = asdict(self) | {"space": self.space.record()}
        if not self.extras:
            del record["extras"]  # as in runs from before there were any
        return json.dumps(record, sort_keys=True)


@dataclass(frozen=True)
class Run:
    """A stored run. started, finished: UTC, ISO 8601; finished is None while pictures are missing."""

    id: int
    identity: RunIdentity
    environment: dict[str, Any]
    started: str
    finished: str | None


@dataclass(frozen=True)
class Picture:
    """What a run knows of one picture: its packed scores, or why it was skipped."""

    position: int
    name: str
    scores: bytes | None
    skipped: str | None


def default_path() -> Path:
    """SEGDEMO_RESULTS, else `segdemo/results.sqlite` in the person's data folder."""
    named = os.environ.get("SEGDEMO_RESULTS")
    if named:
        return Path(named).expanduser()
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "segdemo" / "results.sqlite"


class Results:
    """The store. Each call opens its own connection, so one object serves all threads."""

    def __init__(self, path: Path | None = None) -> None:
        """Open the file at `path` (None: `default_path`), made if it is not there.

        Raises `ResultsError` where it cannot be used or belongs to another version of segdemo.
        """
        self.path = path or default_path()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ResultsError(f"Results cannot be kept in {self.path.parent} ({error.strerror}).") from error
        with self._connected() as connection:
            self._prepare(connection)
        # The last connection that closes writes the log back into the file, which takes ten times as long as a picture.
        self._open = sqlite3.connect(self.path, check_same_thread=False)
        self._open.execute("SELECT count(*) FROM runs").fetchone()

    def begin(self, identity: RunIdentity, environment: dict[str, Any]) -> Run:
        """The latest run with this identity, finished or not, else a new one."""
        text = identity.text()
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            rows = connection.execute("SELECT max(id) FROM runs WHERE identity = ?", (text,)).fetchone()
            if rows[0] is None:
                values = (text, identity.model, identity.dataset, identity.limit, json.dumps(environment), _now())
                connection.execute(
                    "INSERT INTO runs (identity, model, dataset, pictures, environment, started)"
                    " VALUES (?, ?, ?, ?, ?, ?)",
                    values,
                )
        return next(run for run in self.runs() if run.identity == identity)

    def add(self, run: Run, picture: Picture) -> None:
        """Keep one picture; where another process has already kept it, that one stays."""
        with self._connected() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO pictures VALUES (?, ?, ?, ?, ?)",
                (run.id, picture.position, picture.name, picture.scores, picture.skipped),
            )

    def finish(self, run: Run) -> None:
        """Mark a run as complete."""
        with self._connected() as connection:
            connection.execute("UPDATE runs SET finished = ? WHERE id = ? AND finished IS NULL", (_now(), run.id))

    def done(self, run: Run) -> set[int]:
        """The positions of the pictures that are kept."""
        with self._connected() as connection:
            rows = connection.execute("SELECT position FROM pictures WHERE run = ?", (run.id,)).fetchall()
        return {position for (position,) in rows}

    def pictures(self, run: Run) -> Iterator[Picture]:
        """All kept pictures in the order of the data set, read as they are asked for."""
        with self._connected() as connection:
            query = "SELECT position, name, scores, skipped FROM pictures WHERE run = ? ORDER BY position"
            for row in connection.execute(query, (run.id,)):
                yield Picture(*row)

    def runs(self) -> list[Run]:
        """All runs, the latest first."""
        with self._connected() as connection:
            rows = connection.execute(
                "SELECT id, identity, environment, started, finished FROM runs ORDER BY id DESC"
            ).fetchall()
        return [
            Run(number, _identity(identity), json.loads(environment), started, finished)
            for number, identity, environment, started, finished in rows
        ]

    def adopt(self, path: Path) -> None:
        """Copy the finished runs of another results file that only lies there to be read, but for those known here."""
        source = sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)
        with closing(source), self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            columns = "identity, model, dataset, pictures, environment, started, finished"
            for number, *values in source.execute(f"SELECT id, {columns} FROM runs WHERE finished NOT NULL"):  # noqa: S608
                if connection.execute("SELECT 1 FROM runs WHERE identity = ?", values[:1]).fetchone():
                    continue
                marks = ", ".join("?" * len(values))
                run = connection.execute(f"INSERT INTO runs ({columns}) VALUES ({marks})", values).lastrowid  # noqa: S608
                pictures = source.execute(
                    "SELECT ?, position, name, scores, skipped FROM pictures WHERE run = ?", (run, number)
                )
                connection.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?, ?)", pictures)

    def keep_benchmark(self, record: str) -> int:
        """Keep a benchmark as `benchmark.Report.text` writes it; returns its number."""
        with self._connected() as connection:
            connection.execute("INSERT INTO benchmarks (record) VALUES (?)", (record,))
            return int(connection.execute("SELECT last_insert_rowid()").fetchone()[0])

    def benchmarks(self) -> dict[int, str]:
        """The kept benchmarks by number, the latest first."""
        with self._connected() as connection:
            return dict(connection.execute("SELECT id, record FROM benchmarks ORDER BY id DESC").fetchall())

    def delete_benchmark(self, number: int) -> None:
        """Forget a benchmark."""
        with self._connected() as connection:
            connection.execute("DELETE FROM benchmarks WHERE id = ?", (number,))

    def copy_to(self, path: Path) -> None:
        """Write all runs as one file that `adopt` reads, in place of what is there."""
        path.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("VACUUM INTO ?", (str(path),))

    def delete(self, run: Run) -> None:
        """Forget a run and its pictures."""
        with self._connected() as connection:
            connection.execute("DELETE FROM runs WHERE id = ?", (run.id,))

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        """A connection whose changes are committed at the end; a full disk or a foreign file becomes one sentence."""
        try:
            connection = sqlite3.connect(self.path, timeout=_WAIT_S)
            try:
                with connection:
                    connection.execute("PRAGMA foreign_keys = ON")
                    connection.execute("PRAGMA synchronous = NORMAL")
                    yield connection
            finally:
                connection.close()
        except sqlite3.Error as error:
            raise ResultsError(f"The results in {self.path} cannot be used ({error}); move the file away.") from error

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN IMMEDIATE")  # two processes may come first at once
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, *_READABLE):
            raise ResultsError(f"{self.path} was written by another version of segdemo; move the file away.")
        for statement in (_TABLES if version == 0 else _LATER).split(";"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")


def _identity(text: str) -> RunIdentity:
    record = json.loads(text)
    return RunIdentity(
        **record | {"space": LabelSpace.parse(record["space"]), "extras": Extras(**record.get("extras", {}))}
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
