"""The viewer: one picture as several models see it, in panes that zoom and move together.

A component of our own: the JavaScript and CSS beside this file, no build step. Pixels travel as files that the browser
fetches once and keeps (label maps as PNG, exact to the id, whose address is their content's hash); names of pictures
and classes travel as text and are never markup. Whatever a person does in it happens in the browser.
"""

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import streamlit as st

from segdemo import agreement, overlay, tables, words
from segdemo.labels import LabelSpace
from segdemo.prediction import Prediction
from segdemo.ui import cache, media, state, views
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture
from segdemo.ui.scores import Truth

_HERE: Final = Path(__file__).parent
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


def show(picture: Picture, runs: Sequence[Run], truth: Truth | None) -> None:
    """Put the viewer on the page. truth: the picture's labels, None where there are none."""
    predictions = [run.prediction for run in runs]
    spaces = [prediction.space for prediction in predictions] + ([truth.space] if truth else [])
    size_hw = height, width = predictions[0].labels.shape
    sent_hw = overlay.fitted(size_hw, cache.sent_side(size_hw))
    titles = tables.titles([prediction.model for prediction in predictions])
    data = {
        "picture": {
            "name": picture.name,
            "width": sent_hw[1],
            "height": sent_hw[0],
            "scale": width / sent_hw[1],
            "url": _url(cache.screen(picture.id, picture.image), "image/jpeg", "picture"),
        },
        "classes": _classes(list(dict.fromkeys(spaces))),
        "models": [_model(run, title, picture) for run, title in zip(runs, titles, strict=True)],
        "truth": None if truth is None else _truth(truth),
        "shared": _shared(predictions, truth),
        "regions": _regions(picture, runs, titles, sent_hw[1] / width),
        "link": {
            "models": [spec.key for spec in state.chosen_models()],
            "picture": None if picture.seed is None else picture.id,
        },
    }
    _component(key="viewer", data=data)


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


def _model(run: Run, title: str, picture: Picture) -> dict[str, Any]:
    prediction = run.prediction
    asked = (picture.id, prediction.model, run.device, run.precision, prediction.extras)
    labels, confidence, objects = cache.viewer_files(*asked, prediction)
    return {
        "key": prediction.model,
        "title": title,
        "classes": prediction.space.classes,
        "url": _url(labels, "image/png", f"labels {prediction.model}"),
        "confidenceUrl": confidence and _url(confidence, "image/png", f"confidence {prediction.model}"),
        "objectsUrl": objects and _url(objects, "image/png", f"objects {prediction.model}"),
        "seconds": prediction.times.total_s,
        "time": words.duration(prediction.times.total_s),
        "scores": [] if prediction.segments is None else prediction.segments.scores.tolist(),
    }


def _truth(truth: Truth) -> dict[str, Any]:
    sent = overlay.nearest(truth.labels, cache.sent_side(truth.labels.shape))
    return {"classes": truth.space.classes, "url": _url(overlay.encode_png(sent), "image/png", "truth")}


def _shared(predictions: Sequence[Prediction], truth: Truth | None) -> list[tuple[int, int, list[int], list[int]]]:
    """What the browser holds two sources against each other by: their places and, by id, the shared class of each.

    Place 0 is the picture's, then come the models and, last, the labels.
    """
    pairs = [
        (1 + a, 1 + b, agreement.shared(predictions[a], predictions[b]))
        for a, b in combinations(range(len(predictions)), 2)
    ]
    if truth is not None:
        last = 1 + len(predictions)
        pairs += [(last, 1 + a, agreement.judged(truth.space, one)) for a, one in enumerate(predictions)]
    return [(a, b, found.first.tolist(), found.second.tolist()) for a, b, found in pairs if found is not None]


def _regions(picture: Picture, runs: Sequence[Run], titles: Sequence[str], shrunk: float) -> list[dict[str, Any]]:
    predictions = [run.prediction for run in runs]
    keys = tuple(prediction.model for prediction in predictions)
    extras = tuple(prediction.extras for prediction in predictions)
    precisions = tuple(run.precision for run in runs)
    found = cache.regions(picture.id, keys, runs[0].device, precisions, extras, predictions)
    return [
        {
            "box": [side * shrunk for side in region.box_xyxy],
            "share": region.share,
            "words": [f"{titles[model]}: {word}" for model, word in region.says],
        }
        for region in found
    ]


def _url(data: bytes, mimetype: str, place: str) -> str:
    return media.url(data, mimetype, f"viewer {place}")
