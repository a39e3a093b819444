"""Work that takes long, watched from the page: it runs in a thread of its own, the page's thread shows how far it is.

The page's thread must touch the page often: only then can Streamlit stop it when the person clicks on something else.
The work is not stopped; its result goes to the cache and is there when the person comes back.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from functools import cache as once
from threading import Thread
from typing import Final, TypeVar

from streamlit.delta_generator import DeltaGenerator

from segdemo import words

T = TypeVar("T")

_PATIENCE_S: Final = 0.15  # what is done by then (a cached answer) shows no progress at all
_STEP_S: Final = 0.25


@dataclass
class Job:
    """How far a piece of work is; written by its thread, read by the page's."""

    stage: str = "Waiting"
    usual_s: float | None = None  # how long this stage took before; None: nobody knows
    began_s: float = field(default_factory=time.monotonic)
    done_bytes: int = 0
    total_bytes: int | None = None
    bytes_before: int | None = None  # those of an earlier try that were here when the download began

    def begin(self, stage: str, usual_s: float | None = None) -> None:
        """The next stage."""
        self.stage, self.usual_s, self.began_s, self.bytes_before = stage, usual_s, time.monotonic(), None

    def report(self, done: int, total: int | None) -> None:
        """Told of bytes while weights are downloaded. What the stage does then is timed from the last one on."""
        if self.bytes_before is None:
            self.bytes_before = done
            self.began_s = time.monotonic()
        self.done_bytes, self.total_bytes = done, total
        if done == total:
            self.began_s = time.monotonic()

    def elapsed_s(self) -> float:
        """How long the stage, or its download, has taken."""
        return time.monotonic() - self.began_s

    def share(self) -> float | None:
        """How much is done, in [0, 1]; None where nobody knows, or nobody any more."""
        if self._downloading():
            return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else None
        share = self.elapsed_s() / self.usual_s if self.usual_s else 1.0
        return share if share < 1 else None

    def describe(self) -> str:
        """ "Loading the model: about 4 s left" """
        elapsed_s = self.elapsed_s()
        if self._downloading():
            return f"Downloading the weights: {self._describe_download(elapsed_s)}"
        if self.usual_s and elapsed_s < self.usual_s:
            return f"{self.stage}: about {words.wait(self.usual_s - elapsed_s)} left"
        so_far = f": {words.wait(elapsed_s)} so far" if elapsed_s >= 1 else " …"
        return f"{self.stage}{so_far}{', longer than expected' if self.usual_s else ''}"

    def _downloading(self) -> bool:
        return self.bytes_before is not None and self.done_bytes != self.total_bytes

    def _describe_download(self, elapsed_s: float) -> str:
        if not self.total_bytes:
            return words.size(self.done_bytes)
        share = f"{words.size(self.done_bytes)} of {words.size(self.total_bytes)}"
        came = self.done_bytes - (self.bytes_before or 0)
        if came == 0 or elapsed_s < 1:  # too early to tell
            return share
        return f"{share}, about {words.wait((self.total_bytes - self.done_bytes) * elapsed_s / came)} left"


def watch(work: Callable[[Job], T], tell: Callable[[Job], None]) -> T:
    """Do the work and return its result, or raise its error.

    tell: shows on the page how far the work is; called again and again, and never where it is done at once.
    """
    job, future, patience_s = Job(), Future[T](), _PATIENCE_S
    Thread(target=_do, args=(work, job, future), daemon=True).start()
    while not wait([future], patience_s).done:
        tell(job)
        patience_s = _STEP_S
    return future.result()


def bar(make_place: Callable[[], DeltaGenerator]) -> Callable[[Job], None]:
    """For `watch`: a progress bar with words. make_place: makes the empty element for it, when it is first needed."""
    place = once(make_place)

    def tell(job: Job) -> None:
        share, told = job.share(), job.describe()
        if share is None:
            place().markdown(f":shimmer[{told}]")
        else:
            place().progress(share, told)

    return tell


def _do(work: Callable[[Job], T], job: Job, future: Future[T]) -> None:
    try:
        future.set_result(work(job))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
        future.set_exception(error)
