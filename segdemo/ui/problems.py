"""What a person is told when something fails: the one place that turns errors into words on the page."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import streamlit as st

from segdemo.errors import SegdemoError
from segdemo.ui import text

_UNEXPECTED: Final = "Something went wrong inside segdemo; the log has the details."

log = logging.getLogger(__name__)


def sentence(error: Exception) -> str:
    """The error's own sentence where it has one for people; anything else goes to the log."""
    if isinstance(error, SegdemoError):
        return str(error)
    log.error("unexpected", exc_info=error)
    return _UNEXPECTED


@contextmanager
def shown() -> Iterator[None]:
    """Show what fails in here in its place, and go on after it."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the one place where every error ends
        st.error(text.plain(sentence(error)), icon=":material/error:")
