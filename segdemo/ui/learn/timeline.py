"""The families of the catalogue on a line of years; one of them is chosen."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import streamlit as st

from segdemo.models import families
from segdemo.models.families import Family
from segdemo.ui import state

_HERE: Final = Path(__file__).parent

_component = st.components.v2.component(
    "segdemo_timeline",
    html='<div class="timeline" role="radiogroup" aria-label="Architectures by year"></div>',
    css=(_HERE / "timeline.css").read_text(encoding="utf-8"),
    js=(_HERE / "timeline.js").read_text(encoding="utf-8"),
)
_KEY: Final = "learn:timeline"


def choose(shown: Sequence[Family], with_starter: frozenset[str]) -> Family:
    """Which family the page shows. with_starter: names of those that run here at once; they have a full dot."""
    chosen = families.find(st.session_state.get(state.LEARN_FAMILY, "")) or shown[0]
    rows = [{"name": f.name, "year": f.year, "starter": f.name in with_starter} for f in shown]
    _component(key=_KEY, data={"families": rows, "chosen": chosen.name}, on_family_change=_moved)
    return chosen


def show(name: str) -> None:
    """Look at another family."""
    st.session_state[state.LEARN_FAMILY] = name


def _moved() -> None:
    name = st.session_state[_KEY].get("family")
    if isinstance(name, str) and families.find(name):
        show(name)
