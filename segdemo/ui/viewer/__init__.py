"""The viewer: one picture as several models see it, in panes that zoom and move together.

A component of our own: the JavaScript and CSS beside this file, no build step. Pixels travel as files that the browser
fetches once and keeps (label maps as PNG, exact to the id, whose address is their content's hash); names of pictures
and classes travel as text and are never markup. Whatever a person does in it happens in the browser.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import streamlit as st
from streamlit import config, runtime

from segdemo import overlay, tables
from segdemo.labels import LabelSpace
from segdemo.ui import cache, text, views
from segdemo.ui.cache import Run
from segdemo.ui.pictures import Picture

_HERE: Final = Path(__file__).parent
_SCRIPTS: Final = ("pixels.js", "viewport.js", "shades.js", "viewer.js")  # one module, in this order

_component = st.components.v2.component(
    "segdemo_viewer",
    html='<div class="viewer"></div>',
    css=(_HERE / "viewer.css").read_text(encoding="utf-8"),
    js="\n".join((_HERE / name).read_text(encoding="utf-8") for name in _SCRIPTS),
)


def show(picture: Picture, runs: Sequence[Run], truth: tuple[np.ndarray, LabelSpace] | None) -> None:
    """Put the viewer on the page.

    truth: labels (H, W) uint8 and what their ids mean, None where there are none.
    """
    spaces = list(dict.fromkeys(run.prediction.space for run in runs))
    height, width = runs[0].prediction.labels.shape
    titles = tables.titles([run.prediction.model for run in runs])
    data = {
        "picture": {
            "name": picture.name,
            "width": width,
            "height": height,
            "url": _url(cache.screen(picture.id, picture.image), "image/jpeg", "picture"),
        },
        "classes": _classes(spaces),
        "models": [_model(run, title, picture) for run, title in zip(runs, titles, strict=True)],
        "truth": None if truth is None else _truth(*truth),
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
    asked = (picture.id, prediction.model, run.device, run.precision)
    labels, confidence, objects = cache.viewer_files(*asked, prediction)
    return {
        "title": title,
        "classes": prediction.space.classes,
        "url": _url(labels, "image/png", f"labels {prediction.model}"),
        "confidenceUrl": confidence and _url(confidence, "image/png", f"confidence {prediction.model}"),
        "objectsUrl": objects and _url(objects, "image/png", f"objects {prediction.model}"),
        "seconds": prediction.times.total_s,
        "time": text.duration(prediction.times.total_s),
        "scores": [] if prediction.segments is None else prediction.segments.scores.tolist(),
    }


def _truth(truth: np.ndarray, space: LabelSpace) -> dict[str, Any]:
    return {"classes": space.classes, "url": _url(overlay.encode_png(truth), "image/png", "truth")}


def _url(data: bytes, mimetype: str, place: str) -> str:
    """Where the browser fetches a file from, as long as a person's page shows it."""
    path = runtime.get_instance().media_file_mgr.add(data, mimetype, f"viewer {place}")
    return f"/{config.get_option('server.baseUrlPath').strip('/')}{path}".replace("//", "/")
