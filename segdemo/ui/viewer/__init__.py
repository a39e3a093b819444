"""The viewer: one picture as several models see it, in panes that zoom and move together.

A component of our own: the JavaScript and CSS beside this file, no build step. Pixels travel as files that the browser
fetches once and keeps (label maps as PNG, exact to the id, whose address is their content's hash); names of pictures
and classes travel as text and are never markup. Whatever a person does in it happens in the browser.
"""

import time
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations, count
from pathlib import Path
from typing import Any, Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from segdemo import agreement, overlay, tables, words
from segdemo.labels import LabelSpace
from segdemo.models.spec import ModelSpec
from segdemo.ui import cache, media, state, views
from segdemo.ui.cache import Run
from segdemo.ui.jobs import Job
from segdemo.ui.pictures import Picture
from segdemo.ui.scores import Truth

_numbers = count()
_HERE: Final = Path(__file__).parent
# For the browser to draw the last answer: all that stands below the viewer would keep it busy first, for three times
# as long.
_DRAWING_S: Final = 0.15
# One module, in this order.
_SCRIPTS: Final = (
    *("element.js", "pixels.js", "viewport.js", "shades.js", "settings.js"),
    *("toolbar.js", "legend.js", "regions.js", "pointer.js", "viewer.js"),
)

_component = st.components.v2.component(
    "segdemo_viewer",
    html='<div class="viewer"></div>',
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)
_messenger = st.components.v2.component("segdemo_viewer_news", js=(_HERE / "news.js").read_text(encoding="utf-8"))


class Viewer:
    """The viewer in one run of the page. It stands where it is made and has a pane for each model.

    It comes as soon as a model takes long, and each answer when it is there; where all are known, it comes with them.
    Streamlit puts a component on the page once in a run: what is known later travels in a second one, without a face.
    Every piece of news tells all that is known, for Streamlit leaves out one that the next overtakes.
    """

    def __init__(self, picture: Picture, specs: Sequence[ModelSpec], truth: Truth | None) -> None:
        """truth: the picture's labels, None where there are none."""
        self._picture, self._truth = picture, truth
        self._number = next(_numbers)  # news is for what came in the same run
        self._panes = {spec.key: _awaited(spec) for spec in specs}
        self._spaces = {spec.key: spec.space for spec in specs}
        self._runs: dict[str, Run] = {}
        self._place = st.container(gap=None)  # an empty element would take the viewer away at every run
        self._shown: dict[str, Any] = {}
        self._news: DeltaGenerator | None = None  # where news is told, once the viewer is on the page
        self._told = 0  # pieces of news

    def wait(self, spec: ModelSpec, job: Job) -> None:
        """Show how far a model is."""
        if self._news is None:
            self._show()
        self._tell({"key": spec.key, "words": job.describe(), "share": job.share()})

    def add(self, run: Run) -> None:
        """Take an answer, and show it where the viewer is on the page."""
        key = run.prediction.model
        self._runs[key], self._spaces[key] = run, run.prediction.space
        self._panes[key] = _answered(run, self._picture)
        if self._news:
            self._show()

    def drop(self, spec: ModelSpec) -> None:
        """Take the pane of a model away: it failed."""
        del self._panes[spec.key], self._spaces[spec.key]
        if self._news:
            self._show()

    def finish(self) -> None:
        """Every model has answered or failed: show where the answers disagree, too."""
        if self._news:
            time.sleep(_DRAWING_S)
        if self._panes:
            self._show(self._regions())

    def _show(self, regions: Sequence[dict[str, Any]] = ()) -> None:
        self._shown = self._data(regions)
        if self._news is None:
            with self._place:
                _component(key="viewer", data=self._shown)
                self._news = st.empty()
        else:
            self._tell()

    def _tell(self, waiting: dict[str, Any] | None = None) -> None:
        if self._news is not None:
            self._told += 1
            with self._news:
                _messenger(key=f"viewer news {self._told}", data={"shown": self._shown, "waiting": waiting})

    def _data(self, regions: Sequence[dict[str, Any]]) -> dict[str, Any]:
        spaces = [*self._spaces.values(), *([self._truth.space] if self._truth else [])]
        titles = tables.titles(list(self._panes))
        return {
            "run": self._number,
            "picture": self._sent_picture,
            "classes": _classes(list(dict.fromkeys(spaces))),
            "models": [pane | {"title": title} for pane, title in zip(self._panes.values(), titles, strict=True)],
            "truth": self._sent_truth,
            "shared": self._shared(),
            "regions": regions,
            "link": {
                "models": [spec.key for spec in state.chosen_models()],
                "picture": None if self._picture.seed is None else self._picture.id,
            },
        }

    @cached_property
    def _sent_picture(self) -> dict[str, Any]:
        size_hw = self._picture.image().size_hw
        height, width = overlay.fitted(size_hw, cache.sent_side(size_hw))
        screen = cache.screen(self._picture.id, self._picture.image)
        return {
            "name": self._picture.name,
            "width": width,
            "height": height,
            "scale": size_hw[1] / width,
            "url": _url(screen, "image/jpeg", "picture"),
        }

    @cached_property
    def _sent_truth(self) -> dict[str, Any] | None:
        if self._truth is None:
            return None
        sent = overlay.nearest(self._truth.labels, cache.sent_side(self._truth.labels.shape))
        return {"classes": self._truth.space.classes, "url": _url(overlay.encode_png(sent), "image/png", "truth")}

    def _shared(self) -> list[tuple[int, int, list[int], list[int]]]:
        """What the browser holds two sources against each other by: their places and, by id, the shared class of each.

        Place 0 is the picture's, then come the models and, last, the labels.
        """
        known = {place: self._runs[key].prediction for place, key in enumerate(self._panes, 1) if key in self._runs}
        pairs = [(a, b, agreement.shared(known[a], known[b])) for a, b in combinations(known, 2)]
        if self._truth is not None:
            last, space = 1 + len(self._panes), self._truth.space
            pairs += [(last, place, agreement.judged(space, one)) for place, one in known.items()]
        return [(a, b, found.first.tolist(), found.second.tolist()) for a, b, found in pairs if found is not None]

    def _regions(self) -> list[dict[str, Any]]:
        runs = list(self._runs.values())
        predictions = [run.prediction for run in runs]
        keys = tuple(self._runs)
        extras = tuple(prediction.extras for prediction in predictions)
        precisions = tuple(run.precision for run in runs)
        found = cache.regions(self._picture.id, keys, runs[0].device, precisions, extras, predictions)
        titles, scale = tables.titles(keys), self._sent_picture["scale"]
        return [
            {
                "box": [side / scale for side in region.box_xyxy],
                "share": region.share,
                "words": [f"{titles[model]}: {word}" for model, word in region.says],
            }
            for region in found
        ]


def _classes(spaces: Sequence[LabelSpace]) -> list[dict[str, Any]]:
    """Every class name once, with its colour in the data set's palette and in the one for the colour-blind."""
    own, safe = (views.palettes(spaces, safe) for safe in (False, True))
    rows: dict[str, dict[str, Any]] = {}
    for space in spaces:
        for class_id, name in enumerate(space.classes):
            colors = (palettes[space.name][class_id].tolist() for palettes in (own, safe))
            row = dict(zip(("color", "safe"), colors, strict=True))
            rows.setdefault(name, {"name": name, "background": class_id == space.background, **row})
    return list(rows.values())


def _awaited(spec: ModelSpec) -> dict[str, Any]:
    """The pane of a model that has not answered."""
    nothing = dict.fromkeys(("url", "confidenceUrl", "objectsUrl", "seconds", "time"))
    return {"key": spec.key, "classes": spec.space.classes, "scores": [], **nothing}


def _answered(run: Run, picture: Picture) -> dict[str, Any]:
    prediction = run.prediction
    asked = (picture.id, prediction.model, run.device, run.precision, prediction.extras)
    labels, confidence, objects = cache.viewer_files(*asked, prediction)
    return {
        "key": prediction.model,
        "classes": prediction.space.classes,
        "url": _url(labels, "image/png", f"labels {prediction.model}"),
        "confidenceUrl": confidence and _url(confidence, "image/png", f"confidence {prediction.model}"),
        "objectsUrl": objects and _url(objects, "image/png", f"objects {prediction.model}"),
        "seconds": prediction.times.total_s,
        "time": words.duration(prediction.times.total_s),
        "scores": [] if prediction.segments is None else prediction.segments.scores.tolist(),
    }


def _url(data: bytes, mimetype: str, place: str) -> str:
    return media.url(data, mimetype, f"viewer {place}")
