"""Models' answers for the picture shown, with their progress where the answers will stand, and their failures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache as once
from functools import partial

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo.models.spec import ModelSpec
from segdemo.ui import cache, jobs, problems, state, text
from segdemo.ui.cache import Run
from segdemo.ui.jobs import Job
from segdemo.ui.pictures import Picture


@dataclass(frozen=True)
class Failure:
    """Why there is no answer, and what was asked."""

    sentence: str
    asked: str

    def show(self) -> None:
        """The sentence, and a button to try again."""
        st.error(text.plain(self.sentence), icon=":material/error:")
        st.button("Try again", key=f"again:{self.asked}", on_click=state.forget_problem, args=(self.asked,))


def answers(
    specs: Sequence[ModelSpec], picture: Picture, make_places: Callable[[], Sequence[DeltaGenerator]]
) -> list[Run | Failure]:
    """The models' answers, awaited where they will stand.

    make_places: makes an empty element for each model; called where one takes long, and not on a rerun where all
    answers are known, so that the page does not flicker. While a model works, its place shows how far it is and the
    later places the bare picture.
    """
    places = once(make_places)
    progress = (jobs.bar(partial(_progress, picture, places, i)) for i in range(len(specs)))
    return [answer(spec, picture, tell) for spec, tell in zip(specs, progress, strict=True)]


def answer(spec: ModelSpec, picture: Picture, tell: Callable[[Job], None]) -> Run | Failure:
    """One model's answer. tell: shows how far it is, where it takes long."""
    image, device, precision, extras = picture.image(), state.device(), state.precision(), state.extras(spec.task)
    asked = f"{picture.id} {spec.key} {device} {precision} {extras}"
    sentence = state.problem(asked)
    if sentence is None:
        try:
            return jobs.watch(lambda job: cache.run(picture.id, spec.key, device, precision, extras, image, job), tell)
        except Exception as error:  # noqa: BLE001 - one model's failure must leave the others standing
            sentence = problems.sentence(error)
            state.keep_problem(asked, sentence)
    return Failure(sentence, asked)


def _progress(picture: Picture, make_places: Callable[[], Sequence[DeltaGenerator]], i: int) -> DeltaGenerator:
    """The bare picture, so that nothing moves when the answers come; returns an empty element for words under it."""
    places, bare = make_places(), cache.screen(picture.id, picture.image)
    for place in places[i + 1 :]:
        place.image(bare, width="stretch", alt=picture.name)
    with places[i].container():
        st.image(bare, width="stretch", alt=picture.name)
        return st.empty()
