"""The sidebar, the same on every page: which picture, which models, which device."""

from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.uploaded_file_manager import UploadedFile

from segdemo.errors import ImageError
from segdemo.extras import TTAS, Tta
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.ui import cache, picker, problems, scores, state, text
from segdemo.ui.pictures import MOST_UPLOAD_MB, MOST_UPLOADS, Picture, samples

_ASSETS = Path(__file__).with_name("assets")
_LOGO = str(_ASSETS / "logo.svg")
# In the browser's tab. A file: Streamlit's own icons would come from Google.
ICON: Final = str(_ASSETS / "icon.svg")
_PRECISIONS = {
    "auto": "Automatic",
    "fp32": "fp32 (32-bit, exact)",
    "bf16": "bf16 (16-bit, half the memory)",
    "fp16": "fp16 (16-bit, fastest on GPUs)",
}
_TILES = (256, 512, 1024, 2048)
_VIEWS: dict[Tta, str] = {"none": "One", "flip": "Two: it and its mirror image", "scales": "Three scales"}


def draw() -> DeltaGenerator:
    """Draw the sidebar but for the devices; returns the place for these."""
    st.logo(_LOGO, size="large")
    with st.sidebar:
        _tell_of_link()
        st.subheader("Picture")
        _pictures()
        st.subheader("Models")
        picker.draw()
        return st.container()


def draw_devices(place: DeltaGenerator) -> None:
    """Which device and precision the models run in, only those that this machine has, and the extras."""
    with place.expander("Device, precision, extras", key="devices"):
        st.selectbox(
            "Device", cache.devices(), key=state.DEVICE, persist_state="session", format_func=cache.device_name
        )
        st.selectbox(
            "Precision",
            cache.precisions(state.device()),
            key=state.PRECISION,
            persist_state="session",
            format_func=_PRECISIONS.__getitem__,
            help="How exactly the model calculates. Fewer bits need less memory and change the answer slightly. "
            "Automatic: bf16 where the processor has instructions for it, which changes fewer than five labels in a "
            "thousand of the starters'; otherwise, and wherever models are scored or timed against each other, fp32.",
        )
        _extras()


def _extras() -> None:
    """Tiles, views and the refinement; what no chosen model can have is disabled, and which models cannot is told."""
    chosen = state.chosen_models()
    without = [spec.title for spec in chosen if spec.task != "semantic"]
    none_can = bool(chosen) and len(without) == len(chosen)
    st.selectbox(
        "Tiles",
        [None, *_TILES],
        key=state.TILE,
        persist_state="session",
        format_func=lambda side: f"{side} × {side} pixels" if side else "None",
        help="A square of this size is shown to the network as large as the whole picture would be: small things are "
        "seen larger, and it takes about as many times as long as there are squares. Networks that take no larger "
        "input see one square after another. "
        "Pictures over 50 megapixels are taken in tiles of 2048 in any case.",
    )
    st.selectbox(
        "Views",
        TTAS,
        key=state.TTA,
        persist_state="session",
        format_func=_VIEWS.__getitem__,
        disabled=none_can,
        help="Test-time augmentation: the mean of the class probabilities of several views. A mirror image takes twice "
        "as long, three scales three times.",
    )
    st.toggle(
        "Refine with a dense CRF",
        key=state.CRF,
        persist_state="session",
        disabled=none_can,
        help="A conditional random field over all pixels moves the borders of the classes to edges of the picture. "
        "It takes seconds per megapixel on a CPU.",
    )
    if without:
        st.caption(
            f"Views and the CRF work on class probabilities, which only semantic models give; tiles alone apply to: "
            f"{', '.join(without)}."
        )


def shown_picture() -> Picture:
    """The picture that is looked at."""
    pictures = {picture.id: picture for picture in (*_own_readable(), *samples())}
    return pictures.get(st.session_state.get(state.PICTURE, ""), next(iter(pictures.values())))


def pictures() -> list[Picture]:
    """Those that the shown one belongs to: the person's own, or the sample scenes."""
    own = _own_readable()
    return own if shown_picture() in own else samples()


def show(picture_id: str) -> None:
    """Look at another picture."""
    st.session_state[state.PICTURE] = picture_id


def _tell_of_link() -> None:
    """What the link asks for and is not here."""
    missing = st.session_state.pop(state.UNKNOWN_MODELS, [])
    if (picture := st.session_state.pop(state.LINKED_PICTURE, None)) not in (None, *(one.id for one in samples())):
        missing = [*missing, picture]
    if missing:
        names = text.plain(text.short(", ".join(missing)))
        st.warning(f"The link asks for what this copy of segdemo does not have: {names}. The rest is shown.")


def _pictures() -> None:
    st.file_uploader(
        "Upload pictures",
        type=["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"],
        accept_multiple_files=True,
        max_upload_size=MOST_UPLOAD_MB,
        key=state.UPLOADS,
        on_change=_show_newest,
        help=f"Up to {MOST_UPLOADS} pictures. They stay on the machine that runs segdemo.",
    )
    if st.toggle("Use the camera", key=state.CAMERA, persist_state="session"):
        st.camera_input("Take a picture", key=state.PHOTO, on_change=_show_newest)
    if len(st.session_state[state.UPLOADS]) > MOST_UPLOADS:
        st.warning(f"Only the first {MOST_UPLOADS} pictures are used; remove some to use the others.")
    for picture in _own():
        if isinstance(damage := picture.thumbnail(), ImageError):
            st.error(text.plain(problems.sentence(damage)))
    shown = shown_picture()
    _gallery("Your pictures", _own_readable(), shown)
    _gallery("Sample scenes", samples(), shown)
    with st.expander("Labels to score against", key="labels"):
        scores.choose_labels(shown_picture())


def _own() -> list[Picture]:
    """What the person brought, each picture once, damaged files among them."""
    files = [*st.session_state[state.UPLOADS][:MOST_UPLOADS], st.session_state.get(state.PHOTO)]
    own = [_picture(file) for file in files if file is not None]
    return list({picture.id: picture for picture in own}.values())


def _own_readable() -> list[Picture]:
    return [picture for picture in _own() if isinstance(picture.thumbnail(), bytes)]


def _picture(file: UploadedFile) -> Picture:
    data = file.getvalue()
    return Picture(cache.digest(file.file_id, data), file.name, data)


def _show_newest() -> None:
    """After an upload or a photo: look at the first of the new pictures that can be read."""
    ids = [picture.id for picture in _own_readable()]
    new = [picture_id for picture_id in ids if picture_id not in st.session_state[state.SEEN]]
    st.session_state[state.SEEN] = ids
    if new:
        show(new[0])


def _gallery(title: str, pictures: list[Picture], shown: Picture) -> None:
    """Small pictures with a button each that puts the picture on the page."""
    if not pictures:
        return
    st.caption(title)
    with st.grid(3, wrap=False, min_column_width=60, gap="xsmall"):
        for picture in pictures:
            with st.container(gap="xxsmall"):
                if isinstance(small := picture.thumbnail(), bytes):
                    st.image(small, width="stretch", alt=f"Small view of {picture.name}")
                st.button(
                    text.plain(picture.name),
                    key=f"show:{picture.id}",
                    type="primary" if picture == shown else "tertiary",
                    width="stretch",
                    wrap=False,
                    on_click=show,
                    args=(picture.id,),
                )


def choose_one(chosen: list[ModelSpec]) -> ModelSpec:
    """Which of the chosen models the page shows."""
    keys = [spec.key for spec in chosen]
    if st.session_state.get(state.SEGMENT_MODEL) not in keys:
        first = state.FIRST_MODELS[0]
        st.session_state[state.SEGMENT_MODEL] = first if first in keys else keys[0]
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        key = st.segmented_control(
            "Model",
            keys,
            key=state.SEGMENT_MODEL,
            format_func=lambda key: catalog.find(key).title,
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        if len(chosen) > 1:
            label = f"Compare these {len(chosen)} models"
            st.page_link("screens/explore/compare.py", label=label, icon=":material/view_column_2:")
    return catalog.find(key or keys[0])


def heading(picture: Picture) -> None:
    """The picture's name and what it is."""
    height, width = picture.image().size_hw
    with st.container(gap=None):
        st.header(text.plain(text.short(picture.name)), anchor=False)
        if picture.seed is None:
            st.caption(f"{width} × {height} pixels")
        else:
            st.caption(f"A generated street scene, {width} × {height} pixels. Upload your own pictures in the sidebar.")
