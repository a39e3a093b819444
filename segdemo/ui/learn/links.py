"""The Learn pages' addresses, and small links to them from where their words are used."""

from typing import Final

import streamlit as st

KINDS: Final = "pages/learn/kinds.py"
STORY: Final = "pages/learn/story.py"
PIXELS: Final = "pages/learn/pixels.py"
SCORES: Final = "pages/learn/scores.py"
USES: Final = "pages/learn/uses.py"


def show(page: str, label: str) -> None:
    """A small link to a Learn page."""
    st.page_link(page, label=label, icon=":material/school:")
