"""A model's answer for the picture shown, with its progress or its failure in the place where the answer will stand."""

from collections.abc import Iterator, Sequence

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo.models.catalog import ModelSpec
from segdemo.ui import cache, jobs, problems, state, text
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture


class _Slots(list[DeltaGenerator]):
    """The places, or from some place on empty elements in them, whose content can be replaced.

    Empty elements are made only where something took long: made on every rerun, they would make the pictures flicker.
    """

    _replaceable = False

    def make_replaceable(self, first: int) -> None:
        """Put an empty element into the place with this number and into those after it, unless they have one."""
        if not self._replaceable:
            self[first:] = [place.empty() for place in self[first:]]
            self._replaceable = True


def answers(
    specs: Sequence[ModelSpec], picture: Picture, places: Sequence[DeltaGenerator]
) -> Iterator[tuple[ModelSpec, DeltaGenerator, Run]]:
    """The answers that could be had, one after another, each with the element to draw it in.

    places: empty containers. While a model works, its place shows how far it is and the later places the bare picture.
    Where one failed, its place says why.
    """
    slots = _Slots(places)
    for i, spec in enumerate(specs):
        if run := _answer(spec, picture, slots, i):
            yield spec, slots[i], run


def _answer(spec: ModelSpec, picture: Picture, slots: _Slots, i: int) -> Run | None:
    image, device, precision = picture.image(), state.device(), state.precision()
    asked = f"{picture.id} {spec.key} {device} {precision}"
    sentence = state.problem(asked)
    if sentence is None:
        try:
            return jobs.watch(
                lambda job: cache.run(picture.id, spec.key, device, precision, image, job),
                lambda: _progress(picture, slots, i),
            )
        except Exception as error:  # noqa: BLE001 - one model's failure must leave the others standing
            sentence = problems.sentence(error)
            state.keep_problem(asked, sentence)
    with slots[i].container():
        st.error(text.plain(sentence), icon=":material/error:")
        st.button("Try again", key=f"again:{asked}", on_click=state.forget_problem, args=(asked,))
    return None


def _progress(picture: Picture, slots: _Slots, i: int) -> DeltaGenerator:
    """The bare picture, so that nothing moves when the answers come; returns an empty element for words under it."""
    bare = cache.screen(picture.id, picture.image)
    slots.make_replaceable(i)
    for slot in slots[i + 1 :]:
        slot.image(bare, width="stretch", alt=picture.name)
    with slots[i].container():
        st.image(bare, width="stretch", alt=picture.name)
        return st.empty()
