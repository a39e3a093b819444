"""Checkpoints that a person brings: looked at by id or by name, shown with what they cost, added to the model list.

Nothing of their weights is fetched before they are added and run. Paths are never typed here: who uses the app may be
a stranger to the machine it runs on, so what lies in the folder of checkpoints is offered by name.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import streamlit as st

from segdemo.models import catalog, found, weights
from segdemo.models.spec import TASKS, ModelSpec
from segdemo.ui import jobs, problems, state, text
from segdemo.ui.jobs import Job

TITLE: Final = "Your checkpoints"


def bring() -> None:
    """The form, and what was found with it; nothing where only the catalogue may be used."""
    if catalog.only_catalog():
        return
    with st.expander("Add another checkpoint", key="another_checkpoint"):
        with st.form("checkpoint_id", border=False):
            st.text_input(
                "Id on the Hugging Face hub",
                placeholder="owner/name",
                key=state.CHECKPOINT_ID,
                max_chars=200,
                help="Or owner/name@revision. A segmentation model of transformers; its code is never run.",
            )
            asked = st.form_submit_button("Look it up", icon=":material/search:", width="stretch")
        if asked and (typed := st.session_state[state.CHECKPOINT_ID].strip()):
            _look(partial(found.from_hub, typed))
        if names := found.choices():
            with st.container(horizontal=True, vertical_alignment="bottom"):
                name = st.selectbox("Or from the folder here", names, key=state.CHECKPOINT_NAME)
                if st.button("Open", key="open_checkpoint", width="stretch"):
                    _look(partial(found.choose, name))
        _show()


def _look(find: Callable[[], ModelSpec]) -> None:
    """Look at a checkpoint in a thread of its own: a hub that does not answer must not hold up the page."""
    st.session_state[state.CHECKPOINT] = None

    def work(job: Job) -> ModelSpec:
        job.begin("Looking at the checkpoint")
        return find()

    with problems.shown():
        st.session_state[state.CHECKPOINT] = jobs.watch(work, jobs.bar(st.empty))


def _show() -> None:
    """What was found: all that one should know before it is downloaded, and the button that adds it."""
    spec: ModelSpec | None = st.session_state.get(state.CHECKPOINT)
    if spec is None:
        return
    with st.container(border=True, gap="xsmall"):
        st.markdown(f"**{text.plain(spec.title)}** gives {TASKS[spec.task]}.")
        classes = text.plain(", ".join(spec.space.classes[:8]))
        st.caption(f"{len(spec.space.classes)} classes: {classes}{' …' if len(spec.space.classes) > 8 else ''}")
        st.caption(f"Weights: {text.cost(spec, weights.state(spec))} · Licence: {text.plain(spec.licence)}")
        if catalog.in_catalog(spec) or spec in state.own_models():
            st.caption("It is in the list above.")
        else:
            st.button("Add to the models", type="primary", width="stretch", on_click=state.add_model, args=(spec,))
