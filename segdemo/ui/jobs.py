"""Work that takes long, watched from the page: it runs in a thread of its own, the page's thread shows how far it is.

The page's thread must touch the page often: only then can Streamlit stop it when the person clicks on something else.
The work is not stopped; its result goes to the cache and is there when the person comes back.
"""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from threading import Thread
from typing import Final, TypeVar

from streamlit.delta_generator import DeltaGenerator

from segdemo.ui import text

T = TypeVar("T")

_PATIENCE_S: Final = 0.15  # what is done by then (a cached answer) shows no progress at all
_STEP_S: Final = 0.25


@dataclass
class Job:
    """How far a piece of work is; written by its thread, read by the page's."""

    stage: str = "Waiting"
    done_bytes: int = 0
    total_bytes: int | None = None
    started_s: float = field(default_factory=time.monotonic)

    def report(self, done: int, total: int | None) -> None:
        """Told of bytes while weights are downloaded."""
        if self.done_bytes == 0:
            self.started_s = time.monotonic()
        self.done_bytes, self.total_bytes = done, total

    def downloading(self) -> bool:
        """Whether bytes are still to come."""
        return self.done_bytes > 0 and (self.total_bytes is None or self.done_bytes < self.total_bytes)

    def describe_download(self) -> str:
        """ "34 MB of 170 MB, about 20 s left" """
        if not self.total_bytes:
            return text.size(self.done_bytes)
        left = (self.total_bytes - self.done_bytes) * (time.monotonic() - self.started_s) / self.done_bytes
        return f"{text.size(self.done_bytes)} of {text.size(self.total_bytes)}, about {left:.0f} s left"


def watch(work: Callable[[Job], T], place: Callable[[], DeltaGenerator]) -> T:
    """Do the work and return its result, or raise its error.

    place: makes the empty element that shows the progress; called only where the work takes long enough to be seen.
    """
    job, future = Job(), Future[T]()
    Thread(target=_do, args=(work, job, future), daemon=True).start()
    if not wait([future], _PATIENCE_S).done:
        shown = place()
        while not wait([future], _STEP_S).done:
            _show(job, shown)
    return future.result()


def _do(work: Callable[[Job], T], job: Job, future: Future[T]) -> None:
    try:
        future.set_result(work(job))
    except BaseException as error:  # noqa: BLE001 - it is raised again where the result is asked for
        future.set_exception(error)


def _show(job: Job, shown: DeltaGenerator) -> None:
    if job.downloading():
        share = job.done_bytes / job.total_bytes if job.total_bytes else 0.0
        shown.progress(min(1.0, share), f"Downloading the weights: {job.describe_download()}")
    else:
        shown.markdown(f":shimmer[{job.stage}…]")
