"""The Learn pages' addresses, and small links to them from where their words are used."""

from typing import Final

import streamlit as st

KINDS: Final = "screens/learn/kinds.py"
STORY: Final = "screens/learn/story.py"
PIXELS: Final = "screens/learn/pixels.py"
SCORES: Final = "screens/learn/scores.py"
USES: Final = "screens/learn/uses.py"


def show(page: str, label: str) -> None:
    """A small link to a Learn page."""
    st.page_link(page, label=label, icon=":material/school:")
