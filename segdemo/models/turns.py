"""Who runs when: one run alone, or several side by side."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Lets in one that wants to be alone, or any number of those that do not mind company.

    Who waits to be alone goes first: company that keeps coming cannot hold it off.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside = 0
        self._is_alone = False
        self._waiting = 0

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Inside, nobody else is."""
        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: self._inside == 0)
                self._inside, self._is_alone = 1, True
            finally:
                self._waiting -= 1
        with self._leaving():
            yield

    @contextmanager
    def together(self) -> Iterator[None]:
        """Inside, others may be that came through here as well."""
        with self._changed:
            self._changed.wait_for(lambda: not self._is_alone and not self._waiting)
            self._inside += 1
        with self._leaving():
            yield

    @contextmanager
    def _leaving(self) -> Iterator[None]:
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._is_alone = False
                self._changed.notify_all()
