"""A picture's way through a network, array by array."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image
from scipy import ndimage

from segdemo import confusion, overlay, words
from segdemo.labels import CAMVID
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.models.trace import Trace, enlarged
from segdemo.ui import cache, jobs, problems, runs, state
from segdemo.ui.learn import numbers, pointing, story
from segdemo.ui.learn.pointing import Pane
from segdemo.ui.pictures import Picture

_FIRST: Final = "starter/deeplabv3"
_DRAWS: Final = 4
_ZOOM: Final = 6  # the cut-out's part of the picture
_OPACITY: Final = 0.6
_AGAINST, _NOTHING, _FOR = np.array([(178, 92, 60), (240, 238, 232), (16, 110, 105)], np.float32)


def choose() -> ModelSpec:
    """Which semantic starter's stages are shown."""
    keys = [spec.key for spec in catalog.CATALOG if spec.source == "starter" and spec.task == "semantic"]
    key = st.pills(
        "Network", keys, default=_FIRST if _FIRST in keys else keys[0], required=True, key=state.LEARN_MODEL,
        persist_state="session", format_func=lambda key: story.short_title(catalog.find(key)),
    )  # fmt: skip
    return catalog.find(key or keys[0])


def traced(spec: ModelSpec, picture: Picture) -> Trace | None:
    """The arrays of the network's stages; None where it failed, which is told on the page."""
    image, device, precision = picture.image(), state.device(), state.precision()
    asked = f"trace {picture.id} {spec.key} {device} {precision}"
    sentence = state.problem(asked)
    if sentence is None:
        waiting = st.empty()
        try:
            found = jobs.watch(
                lambda job: cache.trace(picture.id, spec.key, device, precision, image, job), jobs.bar(lambda: waiting)
            )
        except Exception as error:  # noqa: BLE001 - told in its place, as on every page
            sentence = problems.sentence(error)
            state.keep_problem(asked, sentence)
        else:
            waiting.empty()
            return found
    runs.Failure(sentence, asked).show()
    return None


def telling(trace: Trace) -> tuple[int, int]:
    """A place (row, column) at an outline, where the order of upsampling and argmax decides about the most pixels."""
    differs = trace.labels != trace.early
    height, width = differs.shape
    if not differs.any():
        return height // 2, width // 2
    window = [max(8, side // _ZOOM) for side in differs.shape]
    crowd = ndimage.uniform_filter(differs.astype(np.float32), window, mode="constant")  # outside the picture: none
    row, column = np.unravel_index(np.where(differs, crowd, 0).argmax(), differs.shape)
    return int(row), int(column)


def bytes_in(picture: Picture, place: tuple[int, int]) -> None:
    """The picture itself, with the cross that all further steps follow."""
    rgb = picture.image().rgb
    _step("1", "The picture is numbers", "Three for each pixel: red, green and blue. Point at a place in any of the "
          "pictures on this page; all of them follow.")  # fmt: skip
    with _shown("bytes", rgb, f"The picture {picture.name}", picture, place):
        _numbers(rgb[..., 0], rgb, place, "red")
        _facts(rgb, "rows, columns, colours")


def prepared(trace: Trace, picture: Picture, place: tuple[int, int]) -> None:
    """The network's input."""
    inputs, colors = trace.inputs, _stretched(trace.inputs)
    _step("2", "Resize and normalise", "The picture is brought to the size that the network learned on. From each "
          "colour its usual value is taken away, and what remains is divided by its usual spread: 0 is average, above "
          "is brighter, below is darker.")  # fmt: skip
    with _shown("inputs", colors, "The network's input, from its lowest to its highest number", picture, place):
        at = _there(place, picture.image().size_hw, inputs.shape[1:])
        _numbers(inputs[0], colors, at, "red, normalised", "{:.1f}")
        _facts(inputs, "colours, rows, columns")


def augmented(picture: Picture) -> None:
    """What training does to a picture on the way, and prediction does not."""
    _step("", "Only in training: augment", "A network that always sees the same pictures learns them by heart. Each "
          "time it gets another crop, tilt, mirror image and light. The labels are bent along.")  # fmt: skip
    draw = st.session_state.get(state.LEARN_DRAW, 0)
    rgb, labels = cache.augmented(picture.id, draw, _DRAWS, picture.image(), picture.own_labels())
    with st.grid(_DRAWS, min_column_width=150):
        for one, ids in zip(rgb, labels, strict=True):
            drawn = overlay.blend(one, ids, CAMVID.palette(), 0.25, outlines=1)
            st.image(overlay.encode_jpeg(drawn), width="stretch", alt="The picture, augmented")
    st.button("Draw again", icon=":material/casino:", on_click=_draw_again, args=(draw + 1,))


def forward(trace: Trace, spec: ModelSpec, picture: Picture, place: tuple[int, int]) -> int:
    """The logits of one class on the network's grid; returns which class is looked at."""
    size_hw, grid_hw = trace.labels.shape, trace.logits.shape[1:]
    points = f"{grid_hw[1]} × {grid_hw[0]}"
    _step("3", "Forward: one score per class", "The network gives every class a score, a logit, at each "
          f"of the {points} points of its grid. Only differences between classes count.")  # fmt: skip
    names, there = spec.space.classes, int(trace.labels[place])
    name = st.selectbox("Logits of the class", names, index=there, key=f"learn:class:{there}")
    class_id = names.index(name)
    colors = _diverging(trace.logits[class_id])
    with _shown("logits", _blocks(colors, size_hw), f"The logits of {name} on their grid", picture, place):
        _numbers(trace.logits[class_id], colors, _there(place, size_hw, grid_hw), f"logits of {name}", "{:.1f}")
        _facts(trace.logits, "classes, rows, columns")
    return class_id


def upsampled(trace: Trace, spec: ModelSpec, picture: Picture, place: tuple[int, int], class_id: int) -> None:
    """The same logits at the picture's size."""
    logits, name = enlarged(trace.logits, trace.labels.shape), spec.space.classes[class_id]
    colors = _diverging(logits[class_id])
    _step("4", "Upsample", "Between the points of the grid the logits are blended. Now every pixel has a score of its "
          "own for every class.")  # fmt: skip
    with _shown("upsampled", colors, f"The logits of {name} at the picture's size", picture, place):
        _numbers(logits[class_id], colors, place, f"logits of {name}", "{:.1f}")
        _facts(logits, "classes, rows, columns")


def decided(trace: Trace, spec: ModelSpec, picture: Picture, place: tuple[int, int]) -> None:
    """The winner of every pixel."""
    palette = spec.space.palette()
    _step("5", "Argmax: the highest wins", "Each pixel takes the class with the highest logit. A softmax turns the "
          "logits into shares of 1: the confidence.")  # fmt: skip
    drawn = overlay.blend(picture.image().rgb, trace.labels, palette, _OPACITY)
    with _shown("labels", drawn, "The class of every pixel over the picture", picture, place):
        _numbers(trace.labels, overlay.colorize(trace.labels, palette), place, "numbers of classes")
        _facts(trace.labels, "rows, columns")
    _race(trace, spec, place)


def too_early(trace: Trace, spec: ModelSpec, picture: Picture, place: tuple[int, int]) -> None:
    """What happens where the argmax comes before the upsampling."""
    palette, rgb = spec.space.palette(), picture.image().rgb
    differs = np.count_nonzero(trace.labels != trace.early) / trace.labels.size
    _step("", "And in the other order?", "Argmax on the coarse grid, then enlarge: nothing is blended, blocks are "
          f"left. Some tools do so. Here **{words.percent(differs)}** of the pixels get another class.")  # fmt: skip
    with st.grid(2, min_column_width=240):
        for title, labels in (("Upsample, then argmax", trace.labels), ("Argmax, then enlarge", trace.early)):
            cut = _cut(overlay.blend(rgb, labels, palette, 0.7, outlines=1), place)
            with st.container(gap="xsmall"):
                st.image(cut, width="stretch", alt=f"{title}, a part of the picture")
                st.caption(f"{title}{_right(picture, labels)}")


def _right(picture: Picture, labels: np.ndarray) -> str:
    """How many pixels are right. In one picture, mean IoU would turn on a speck of a class that is not there."""
    truth = picture.own_labels()
    if truth is None:
        return ""
    accuracy = confusion.count(truth, labels, len(CAMVID.classes)).accuracy()
    return f": {100 * accuracy:.1f} % of the pixels right by the scene's own labels"


def _race(trace: Trace, spec: ModelSpec, place: tuple[int, int]) -> None:
    """The best classes at the place, with logit and share."""
    logits = enlarged(trace.logits, trace.labels.shape)[:, place[0], place[1]].astype(np.float64)
    shares = np.exp(logits - logits.max())
    shares = shares / shares.sum()
    best = np.argsort(-logits)[:3]
    rows = {"class": [spec.space.classes[i] for i in best], "logit": logits[best], "softmax %": 100 * shares[best]}
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        column_config={
            "logit": st.column_config.NumberColumn(format="%.2f"),
            "softmax %": st.column_config.ProgressColumn(min_value=0, max_value=100, format="%.1f"),
        },
        alt="The three best classes at the place",
    )


def _draw_again(draw: int) -> None:
    st.session_state[state.LEARN_DRAW] = draw


def _step(number: str, title: str, told: str) -> None:
    """A step's heading, and what happens in it."""
    st.subheader(f"{number} · {title}" if number else title, anchor=False)
    st.markdown(told)


@contextmanager
def _shown(name: str, pixels: np.ndarray, alt: str, picture: Picture, place: tuple[int, int]) -> Iterator[None]:
    """A picture (h, w, 3) uint8 with the cross on the left; what is drawn inside stands on the right of it."""
    left, right = st.columns(2, gap="large", vertical_alignment="center")
    with left:
        pane = Pane("", "", overlay.encode_jpeg(pixels), alt)
        pointing.show(f"learn:pixels:{name}", [pane], picture, place)
    with right:
        yield


def _facts(array: np.ndarray, axes: str) -> None:
    shape = " × ".join(f"{side:,}" for side in array.shape)
    low, high = (f"{value:.1f}" if array.dtype.kind == "f" else f"{value}" for value in (array.min(), array.max()))
    st.caption(f"**{shape}** ({axes}) · **{array.dtype}** · from **{low}** to **{high}**".replace("-", "−"))


def _numbers(values: np.ndarray, colors: np.ndarray, place: tuple[int, int], what: str, form: str = "{:d}") -> None:
    """The numbers around a place of a map (H, W) on their colours (H, W, 3)."""
    rows, columns = numbers.around(place, values.shape)
    at = place[0] - rows.start, place[1] - columns.start
    drawn = numbers.svg(values[rows, columns], colors[rows, columns], _writer(form), at)
    st.image(drawn, alt=f"Numbers around the place: {what}")
    st.caption(f"Around the cross: {what}")


def _writer(form: str) -> Callable[[float], str]:
    return lambda value: form.format(value).replace("-0.0", "0.0").replace("-", "−")


def _there(place: tuple[int, int], size_hw: tuple[int, ...], other_hw: tuple[int, ...]) -> tuple[int, int]:
    """The same place on another grid."""
    row, column = (
        min(int((at + 0.5) * other / side), other - 1) for at, side, other in zip(place, size_hw, other_hw, strict=True)
    )
    return row, column


def _stretched(inputs: np.ndarray) -> np.ndarray:
    """An input (3, h, w) as a picture (h, w, 3) uint8, its lowest number black and its highest white."""
    low, high = inputs.min(), inputs.max()
    return (255 * (inputs - low) / max(high - low, 1e-6)).astype(np.uint8).transpose(1, 2, 0)


def _diverging(logits: np.ndarray) -> np.ndarray:
    """A map (h, w) of logits as a picture (h, w, 3) uint8: brown against, white for nothing, teal for the class."""
    share = (logits / max(float(np.abs(logits).max()), 1e-6))[..., None]
    color = np.where(share > 0, _NOTHING + share * (_FOR - _NOTHING), _NOTHING - share * (_AGAINST - _NOTHING))
    return color.round().astype(np.uint8)


def _blocks(picture: np.ndarray, size_hw: tuple[int, ...]) -> np.ndarray:
    """A small picture enlarged so that its pixels are seen."""
    return np.asarray(Image.fromarray(picture).resize((size_hw[1], size_hw[0]), Image.Resampling.NEAREST))


def _cut(picture: np.ndarray, place: tuple[int, int]) -> np.ndarray:
    """The part of a picture around a place, enlarged so that its pixels are seen."""
    size_hw = picture.shape[:2]
    sides = [max(8, side // _ZOOM) for side in size_hw]
    top, left = (
        min(max(0, at - side // 2), whole - side) for at, side, whole in zip(place, sides, size_hw, strict=True)
    )
    return _blocks(picture[top : top + sides[0], left : left + sides[1]], size_hw)
