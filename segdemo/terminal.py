"""How the command line speaks on standard error: one line per failure, and how far a download is."""

import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from segdemo.errors import SegdemoError


class Faults:
    """What went wrong, one line each; the trace of what nobody expected goes to a log file."""

    def __init__(self) -> None:
        self.code = 0  # the exit code: 1 once something was told
        self._log: Path | None = None

    @contextmanager
    def told_of(self, what: str = "") -> Iterator[None]:
        """End the block at an error, tell it of `what`, and go on after the block."""
        try:
            yield
        except BrokenPipeError:  # nobody reads us any more: going on serves nobody
            raise
        except SegdemoError as error:
            # Most of these sentences name their thing themselves.
            self.tell(_about("" if what in str(error) else what, str(error)))
        except OSError as error:
            self.tell(_about(what, _reason(what, error)))
        except Exception as error:
            self.tell(_about(what, f"unexpected {type(error).__name__}; {self._keep_trace()}"))

    def tell(self, text: str) -> None:
        """Print one line, whatever the names in it contain."""
        self.code = 1
        line = "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
        print(f"segdemo: {line}", file=sys.stderr, flush=True)

    def _keep_trace(self) -> str:
        try:
            if self._log is None:
                handle, name = tempfile.mkstemp(prefix="segdemo-", suffix=".log")
                os.close(handle)
                self._log = Path(name)
            with self._log.open("a", encoding="utf-8", errors="backslashreplace") as log:
                log.write(traceback.format_exc() + "\n")
        except OSError as error:
            return f"no log could be written: {error.strerror}"
        return f"the details are in {self._log}"


class ProgressBar:
    """How far a download or a count of things is: on a terminal one line, drawn again and again; elsewhere a line now
    and then.

    unit: what is counted; None for bytes.
    """

    def __init__(self, name: str, unit: str | None = None) -> None:
        self._name, self._unit = name, unit
        self._terminal = sys.stderr.isatty()
        self._every_s = 0.1 if self._terminal else 10.0
        self._told_s = float("-inf")
        self._began: tuple[float, int] | None = None  # when, and the bytes that were already here

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminal and self._began:
            print(file=sys.stderr)

    def __call__(self, done: int, total: int | None) -> None:
        """Bytes or things done, and in all (None: unknown)."""
        now = time.monotonic()
        began_s, before = self._began = self._began or (now, done)
        if now - self._told_s < self._every_s and done != total:
            return
        self._told_s = now
        if not total:
            text = f"{done / 1e6:.1f} MB"
        else:
            text = _share(done, total, self._unit) + _time_left(now - began_s, done - before, total - done)
        self._show(f"{self._name}: {text}")

    def _show(self, line: str) -> None:
        if self._terminal:
            columns = shutil.get_terminal_size().columns - 1
            print(f"\r\x1b[K{line[:columns]}", end="", file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def _about(what: str, text: str) -> str:
    return f"{what}: {text}" if what else text


def _reason(what: str, error: OSError) -> str:
    reason = error.strerror or str(error) or type(error).__name__
    return reason if error.filename in (None, what) else f"{error.filename}: {reason}"


def _share(done: int, total: int, unit: str | None) -> str:
    filled = 20 * min(done, total) // total
    bar = "#" * filled + "-" * (20 - filled)
    amount = f"{done} of {total} {unit}" if unit else f"{done / 1e6:.1f} of {total / 1e6:.1f} MB"
    return f"[{bar}] {100 * done // total} %, {amount}"


def _time_left(seconds: float, done: int, left: int) -> str:
    if done <= 0 or left <= 0:
        return ""
    rest = seconds * left / done
    return f", {rest:.0f} s left" if rest < 90 else f", {rest / 60:.0f} min left"
