"""A model's answer for the picture shown, with its progress or its failure in the place where the answer will stand."""

from collections.abc import Iterator, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo.models.catalog import ModelSpec
from segdemo.ui import cache, jobs, problems, state, text
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture


def answers(
    specs: Sequence[ModelSpec], picture: Picture, places: Sequence[DeltaGenerator]
) -> Iterator[tuple[ModelSpec, DeltaGenerator, Run]]:
    """The answers that could be had, one after another; every place is an empty element.

    While a model works, its place shows how far it is and the later places the bare picture. Where one failed, its
    place says why.
    """
    for i, (spec, place) in enumerate(zip(specs, places, strict=True)):
        if run := _answer(spec, picture, places[i:]):
            yield spec, place, run


def _answer(spec: ModelSpec, picture: Picture, places: Sequence[DeltaGenerator]) -> Run | None:
    image, device, precision = picture.image(), state.device(), state.precision()
    asked = f"{picture.id} {spec.key} {device} {precision}"
    sentence = state.problem(asked)
    if sentence is None:
        try:
            return jobs.watch(
                lambda job: cache.run(picture.id, spec.key, device, precision, image, job),
                lambda: _progress(picture, places),
            )
        except Exception as error:  # noqa: BLE001 - one model's failure must leave the others standing
            sentence = problems.sentence(error)
            state.keep_problem(asked, sentence)
    with places[0].container():
        st.error(text.plain(sentence), icon=":material/error:")
        st.button("Try again", key=f"again:{asked}", on_click=state.forget_problem, args=(asked,))
    return None


def _progress(picture: Picture, places: Sequence[DeltaGenerator]) -> DeltaGenerator:
    """The bare picture, so that nothing moves when the answers come; returns an empty element for words under it."""
    bare = cache.screen(picture.id, picture.image)
    for place in places[1:]:
        place.image(bare, width="stretch", alt=picture.name)
    with places[0].container():
        st.image(bare, width="stretch", alt=picture.name)
        return st.empty()
