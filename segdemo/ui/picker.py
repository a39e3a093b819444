"""The list of models in the sidebar: the bundled ones, the families to download, and the person's own."""

from collections.abc import Callable, Sequence

import streamlit as st

from segdemo.models import catalog, weights
from segdemo.models.spec import ModelSpec
from segdemo.ui import checkpoints, state, text


def draw() -> None:
    """Draw the list. A closed family sends nothing to the browser, which works on all there is at every click."""
    chosen = state.chosen_models()
    names = text.plain(", ".join(spec.title for spec in chosen))
    st.caption(f"{len(chosen)} of at most {state.MOST_MODELS} chosen{': ' if chosen else ''}{names}")
    starters = [spec for spec in catalog.CATALOG if spec.source == "starter"]
    others = [spec for spec in catalog.CATALOG if spec.source != "starter"]
    with st.container(gap="xsmall"):
        with st.expander("Bundled starters", key="family:starters", expanded=True):
            _rows(starters, chosen, lambda spec: f"{text.plain(spec.family)} · [{spec.year}]({spec.paper})")
        st.caption("Published checkpoints, by family")
        for family in dict.fromkeys(spec.family for spec in others):
            _family(family, [spec for spec in others if spec.family == family], chosen)
        if own := state.own_models():
            with st.expander(checkpoints.TITLE, key="family:own", expanded=True):
                _rows(own, chosen, _with_cost)
        checkpoints.bring()


def _family(family: str, specs: Sequence[ModelSpec], chosen: Sequence[ModelSpec]) -> None:
    with st.expander(family, key=f"family:{family}", on_change="rerun") as box:
        if box.open:
            _rows(specs, chosen, _with_cost)
            if papers := dict.fromkeys((spec.year, spec.paper) for spec in specs if spec.paper):
                st.caption("Papers: " + ", ".join(f"[{year}]({paper})" for year, paper in papers))


def _with_cost(spec: ModelSpec) -> str:
    return f"{text.within_family(spec)} :gray[· {text.cost(spec, weights.state(spec))}]"


def _rows(specs: Sequence[ModelSpec], chosen: Sequence[ModelSpec], label: Callable[[ModelSpec], str]) -> None:
    """Models to tick, those that know the same classes and have the same licence together."""
    groups: dict[tuple[str, str], list[ModelSpec]] = {}
    for spec in specs:
        groups.setdefault((text.knows(spec), spec.licence), []).append(spec)
    for (known, licence), alike in groups.items():
        st.caption(f"**{known}** · {text.plain(licence)}")
        with st.container(gap="xxsmall"):
            for spec in alike:
                st.checkbox(
                    label(spec),
                    value=state.ticked_first(spec.key),
                    key=state.model_key(spec.key),
                    persist_state="session",
                    disabled=len(chosen) >= state.MOST_MODELS and spec not in chosen,
                )
