import base64
import io
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from segdemo import report
from segdemo.exports import Entry
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.labels import ADE20K, CAMVID, VOID, LabelSpace
from segdemo.models import catalog
from segdemo.models.spec import ModelSpec
from segdemo.overlay import SCREEN_SIDE, UNASSIGNED, Look
from segdemo.prediction import Prediction, Segments, StageTimes
from segdemo.report import Table

MADE = datetime(2026, 11, 24, 16, 5, tzinfo=timezone(timedelta(hours=2)))
HOSTILE = "<img src=x onerror=alert(1)>"
DEEPLAB, MASK2FORMER, SEGFORMER = (
    catalog.find(key)
    for key in ("starter/deeplabv3", "starter/mask2former", "nvidia/segformer-b0-finetuned-ade-512-512")
)
VOID_ELEMENTS = {"meta", "img"}


class Page(HTMLParser):
    """What stands in a page: tags with their attributes, and texts by the innermost tag around them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self.open: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID_ELEMENTS:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.texts.append((self.open[-1] if self.open else "", " ".join(data.split())))

    def within(self, tag: str) -> list[str]:
        return [text for name, text in self.texts if name == tag]

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    def pictures(self) -> list[Image.Image]:
        return [picture(str(attributes["src"])) for attributes in self.attributes("img")]


def picture(uri: str) -> Image.Image:
    start, data = uri.split(",")
    assert start == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def entry(
    spec: ModelSpec = DEEPLAB,
    size_hw: tuple[int, int] = (40, 60),
    name: str = "street.jpg",
    space: LabelSpace | None = None,
    segments: Segments | None = None,
) -> Entry:
    labels = np.full(size_hw, 3, np.uint8)
    labels[: size_hw[0] // 4] = 0
    labels[-size_hw[0] // 4 :, : size_hw[1] // 2] = VOID
    times = StageTimes(0.0, 0.01, 0.2, 0.03)
    answer = Prediction(spec.key, space or spec.space, labels, None, segments, times)
    return Entry(answer, InputImage(np.full((*size_hw, 3), 90, np.uint8), "ab" * 32, name), spec, "cpu", "fp32")


def page(*entries: Entry, tables: tuple[Table, ...] = ()) -> Page:
    return Page(report.html(entries, tables, MADE))


def test_the_page_says_of_which_picture_it_is_and_when_it_was_made():
    shown = page(entry())

    assert shown.within("h1") == ["street.jpg"]
    assert "60 × 40 pixels" in shown.within("dd")
    assert "ab" * 32 in shown.within("code")
    assert shown.within("time") == ["2026-11-24 14:05 UTC"]
    assert MADE.astimezone(UTC).isoformat() == shown.attributes("time")[0]["datetime"]


def test_the_page_opens_with_no_network_and_runs_nothing():
    shown = page(entry(), entry(SEGFORMER), tables=(Table("Times", pd.DataFrame({"total ms": [1.0]})),))

    links = {attributes["href"]: attributes["rel"] for attributes in shown.attributes("a")}
    assert links == dict.fromkeys([DEEPLAB.paper, SEGFORMER.paper], "noreferrer noopener")
    assert all(str(attributes["src"]).startswith("data:image/jpeg;") for attributes in shown.attributes("img"))
    names = {name for _, attributes in shown.tags for name in attributes}
    assert not any(name.startswith("on") for name in names)
    assert not {tag for tag, _ in shown.tags} & {"script", "link", "iframe", "object", "form"}
    assert "url(" not in "".join(shown.within("style"))
    [policy] = (a["content"] for a in shown.attributes("meta") if a.get("http-equiv") == "Content-Security-Policy")
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_a_paper_that_is_no_https_address_is_text():
    spec = replace(DEEPLAB, paper="javascript:alert(1)")

    shown = page(entry(spec))

    assert not shown.attributes("a")
    assert any("javascript:alert(1)" in text for text in shown.within("dd"))


@pytest.mark.parametrize("name", [HOSTILE, "\"><script>alert('1')</script>", "{{ 7 * 7 }}"])
def test_names_of_strangers_stay_text(name):
    space = replace(CAMVID, classes=(name, *CAMVID.classes[1:]))
    frame = pd.DataFrame({name: [name]}, index=pd.Index([name], name=name))

    shown = page(entry(name=name, space=space), tables=(Table(name, frame, name),))

    assert shown.within("title") == [f"{name} · segdemo"]
    assert shown.within("h1") == [name]
    assert name in shown.within("span")  # the legend
    in_table = [text for tag in ("h2", "p", "th", "td") for text in shown.within(tag)]
    assert in_table.count(name) == 6
    assert len(shown.attributes("img")) == 2
    assert not shown.attributes("script")


def test_a_name_that_cannot_be_written_is_mended():
    written = report.html([entry(name="half\udcff\u202e.png")], [], MADE)

    assert Page(written).within("h1") == ["half\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.png"]
    written.encode()


def test_each_model_has_its_title_time_licence_and_what_it_gives():
    shown = page(entry(), entry(MASK2FORMER), entry(SEGFORMER))

    assert Counter(shown.within("span"))["240 ms"] == 3
    for spec in (DEEPLAB, MASK2FORMER, SEGFORMER):
        assert spec.title in shown.within("h3")
        assert spec.licence in shown.within("dd")
        assert spec.checkpoint in shown.within("code")
    assert SEGFORMER.revision in shown.within("code")
    assert "Gives a class for every pixel and single objects. Knows 11 classes (CamVid-11)." in shown.within("p")


@pytest.mark.parametrize(("spec", "told"), [(DEEPLAB, True), (SEGFORMER, False)])
def test_starters_are_called_what_they_are(spec, told):
    notes = [text for text in page(entry(spec)).within("p") if "trained from scratch" in text]

    assert bool(notes) == told


def test_the_page_tells_what_ran_the_models():
    shown = page(entry())

    assert {"Device", "Python", "torch", "segdemo"} <= set(shown.within("dt"))
    assert "fp32" in shown.within("dd")
    assert any(text.startswith("one run") for text in shown.within("dd"))


def test_a_small_picture_is_shown_as_it_is_and_a_large_one_shrunk():
    small, large = page(entry(size_hw=(40, 60))), page(entry(size_hw=(1600, 2 * SCREEN_SIDE)))

    assert [image.size for image in small.pictures()] == [(60, 40)] * 2
    assert [image.size for image in large.pictures()] == [(SCREEN_SIDE, 800)] * 2
    assert {(a["width"], a["height"]) for a in large.attributes("img")} == {(str(SCREEN_SIDE), "800")}
    assert all(a["alt"] for a in large.attributes("img"))


def test_overlay_and_legend_are_in_the_colours_of_the_look():
    look = Look(CAMVID.palette("colorblind"), frozenset({3}), opacity=1.0, outlines=False)

    shown = page(replace(entry(), look=look))

    red, green, blue = look.palette[3].tolist()
    drawn = np.asarray(shown.pictures()[1]).astype(int)
    np.testing.assert_allclose(drawn[20, 30], (red, green, blue), atol=4)
    swatches = [a for a in shown.attributes("i") if "swatch" in str(a.get("class"))]
    assert [a.get("style") for a in swatches] == [f"background: rgb({red}, {green}, {blue})", None, None]
    names = [text for text in shown.within("span") if text in (*CAMVID.classes, UNASSIGNED)]
    assert names == ["road", "sky", UNASSIGNED]


def test_a_long_legend_is_cut():
    answer = entry(SEGFORMER)
    labels = np.repeat(np.arange(20, dtype=np.uint8), 120).reshape(40, 60)

    shown = page(replace(answer, prediction=replace(answer.prediction, labels=labels)))

    names = [name for name in shown.within("span") if name in ADE20K.classes]
    assert names == list(ADE20K.classes[:12])
    assert shown.within("span")[-2:] == ["and 8 more", "40.0 %"]


def test_objects_are_outlined_in_a_shrunk_picture():
    size_hw = (2 * SCREEN_SIDE, 2 * SCREEN_SIDE)
    box = np.array([[400, 400, 1600, 1600]], np.int32)
    car = Segments(box, (np.ones((1200, 1200), np.bool_),), np.array([8], np.uint8), np.ones(1, np.float32))

    plain, outlined = (
        np.asarray(page(entry(MASK2FORMER, size_hw, segments=s)).pictures()[1]).astype(int) for s in (None, car)
    )

    changed = np.abs(plain - outlined).max(axis=2) > 40
    rows, columns = np.nonzero(changed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == pytest.approx((200, 799, 200, 799), abs=2)


def test_a_table_shows_numbers_with_one_decimal_and_none_as_a_dash():
    frame = pd.DataFrame(
        {"share %": [31.25, np.nan, -0.01], "area px": [1234, 5, 0], "best": ["A", None, ""]},
        index=pd.Index(["road", "sky", "car"], name="class"),
    )

    shown = page(entry(), tables=(Table("Classes", frame, "of the picture"),))

    assert shown.within("th") == ["class", "share %", "area px", "best", "road", "sky", "car"]
    assert shown.within("td") == ["31.2", "1,234", "A", "–", "5", "–", "0.0", "0"]
    assert [a.get("class") for a in shown.attributes("td")[:3]] == ["number", "number", None]
    [region] = [a for a in shown.attributes("div") if a.get("role") == "region"]
    assert region["tabindex"] == "0"


def test_headings_on_two_levels_span_what_is_below_them():
    columns = pd.MultiIndex.from_product([["A", "B"], ["share", "IoU"]])
    frame = pd.DataFrame(np.ones((1, 4)), columns=columns, index=pd.Index(["road"], name="class"))

    shown = page(entry(), tables=(Table("Classes", frame),))

    headings = [(a.get("colspan"), a.get("rowspan")) for a in shown.attributes("th")]
    assert shown.within("th") == ["class", "A", "B", "share", "IoU", "share", "IoU", "road"]
    assert headings == [(None, "2"), ("2", None), ("2", None), *[(None, None)] * 5]


@pytest.mark.parametrize("entries", [[], [entry(), entry(name="other.jpg")]])
def test_a_report_is_on_one_picture(entries):
    with pytest.raises(ValueError, match="one picture"):
        report.html(entries, [], MADE)


def test_what_an_answer_was_made_with_is_told():
    with_tiles = entry()
    made_with = replace(with_tiles.prediction, extras=Extras(512, "flip"))
    plain, told = page(with_tiles), page(replace(with_tiles, prediction=made_with))
    assert not any("tiles" in text for _, text in plain.texts)
    assert "with tiles of 512 pixels and flipped views" in [text for _, text in told.texts]
