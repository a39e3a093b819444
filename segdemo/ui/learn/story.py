"""One family of the timeline: what was wrong before, what it changed, and what its starter makes of the picture."""

from typing import Final

import streamlit as st

from segdemo.models import catalog
from segdemo.models.families import FAMILIES, Family
from segdemo.models.spec import ModelSpec
from segdemo.ui import runs, text, views
from segdemo.ui.learn import drawings, timeline
from segdemo.ui.pictures import Picture

_ONLY_INSTANCES: Final = "It names things alone; the rest has no answer."


def starters() -> dict[str, ModelSpec]:
    """By family, the starter that shows it."""
    found: dict[str, ModelSpec] = {}
    for spec in catalog.CATALOG:
        if spec.source == "starter":
            found.setdefault(spec.family, spec)
    return found


def short_title(spec: ModelSpec) -> str:
    """A starter's title where all shown are starters: "DeepLabV3"."""
    return spec.title.removesuffix(" starter")


def choose() -> Family:
    """The timeline, with the family that is chosen on it."""
    family = timeline.choose(FAMILIES, frozenset(starters()))
    st.caption("A full dot: a starter of it runs here. An empty one: the story only, or a checkpoint to download.")
    return family


def show(family: Family, picture: Picture) -> None:
    """The story on the left, the answer on the right."""
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader(f"{family.name}, {family.year}", anchor=False)
        st.image(drawings.svg(drawings.SKETCHES[family.name], views.ink()), width="stretch",
                 alt=f"A drawing of {family.name}: {family.introduced}")  # fmt: skip
        st.markdown(f"**Before.** {family.before}")
        st.markdown(f"**What it changed.** {family.introduced}")
        st.caption(f"{family.authors}: [the paper]({family.paper}). {_checkpoints(family)}")
    with right:
        _answer(family, picture)
    _move_on(family)


def _checkpoints(family: Family) -> str:
    count = sum(spec.family == family.name and spec.source != "starter" for spec in catalog.CATALOG)
    if not count:
        return "No published checkpoint of it is in the catalogue."
    return f"Published checkpoints in the sidebar: {count}."


def _answer(family: Family, picture: Picture) -> None:
    spec = starters().get(family.name)
    if spec is None:
        with st.container(border=True):
            st.markdown(f"**No starter.** segdemo brings no small {family.name} along, so there is no answer to show.")
        return
    waiting = st.empty()
    [run] = runs.answers([spec], picture, lambda: [waiting])
    if isinstance(run, runs.Failure):
        waiting.empty()
        run.show()
        return
    views.preview(waiting, run, picture, views.usual_looks([spec])[spec.key])
    alone = f" {_ONLY_INSTANCES}" if spec.task == "instance" else ""
    st.caption(f"**{text.plain(spec.title)}** on this picture.{alone}")


def _move_on(family: Family) -> None:
    at = FAMILIES.index(family)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for step, icon in ((-1, ":material/arrow_back:"), (1, ":material/arrow_forward:")):
            if 0 <= at + step < len(FAMILIES):
                other = FAMILIES[at + step]
                st.button(
                    f"{other.name}, {other.year}",
                    key=f"learn:step{step}",
                    icon=icon,
                    icon_position="left" if step < 0 else "right",
                    on_click=timeline.show,
                    args=(other.name,),
                )
