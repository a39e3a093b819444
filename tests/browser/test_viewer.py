"""The viewer in a real browser: pixels, not presence."""

import io
import json
import re
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from steps import settled

from segdemo import agreement
from segdemo.labels import CAMVID
from segdemo.models import catalog
from segdemo.prediction import Prediction, StageTimes

READER = "starter/segformer"  # its fake finds its classes in the picture's red, and how sure it is in the green
NAMES, COLORS = CAMVID.classes, np.array(CAMVID.colors)
PICTURE, FIRST, SECOND = range(3)  # panes and sources


def blocks(height, width):
    """A picture (H, W, 3) of blocks of 4 pixels: red is the class that the reader finds, green how sure it is."""
    rng = np.random.default_rng(0)
    coarse = np.stack(
        [rng.integers(0, 11, (height // 4, width // 4)), *rng.integers(60, 200, (2, height // 4, width // 4))]
    )
    return np.kron(np.moveaxis(coarse, 0, 2), np.ones((4, 4, 1))).astype(np.uint8)


RGB = blocks(240, 320)


def answer(rgb, source):
    """What a source's fake says of a picture, (H, W)."""
    if source == SECOND:
        return rgb[..., 0] % 11
    height, width = rgb.shape[:2]
    labels = np.zeros((height, width), np.uint8)
    labels[height // 2 :, : width // 2] = 1
    labels[height // 2 :, width // 2 :] = 3
    return labels


def ready(page):
    page.locator(".viewer[data-ready]").wait_for()
    settled(page)
    page.wait_for_timeout(300)  # a frame, and the address
    return page.locator(".viewer")


def ask(page, expression, argument=None):
    """A JavaScript expression of `viewer`, the viewer of the page."""
    return page.locator(".viewer").evaluate(
        f"(root, argument) => {{ const viewer = root.viewer; return {expression} }}", argument
    )


MODELS = ("starter/deeplabv3", READER, "starter/mask2former")


def address(*models, page="compare"):
    return f"{page}?models={','.join(models or MODELS)}"


def upload(page, name, rgb):
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "PNG")
    chosen = {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}
    page.get_by_test_id("stSidebar").locator("input[type=file]").first.set_input_files(chosen)


def opened(page, rgb=None, name="blocks.png"):
    """The page with its viewer, and a picture of one's own."""
    ready(page)
    if rgb is not None:
        before = page.locator(".viewer").get_attribute("data-ready")
        upload(page, name, rgb)
        page.locator(f".viewer[data-ready]:not([data-ready='{before}'])").wait_for()
        ready(page)
    return page


@pytest.fixture(scope="module")
def page_of_all(chromium, app_url):
    page = chromium.new_page()
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(f"{app_url}/{address()}")
    yield opened(page, RGB)
    page.close()


@pytest.fixture
def page(page_of_all):
    """The Compare page with the picture `RGB`, as it opens."""
    plain = "layout: 'grid', view: 'classes', opacity: 0.55, threshold: 0, outlines: true, divider: 0.5, against: 'any'"
    ask(page_of_all, f"(viewer.set({{ {plain} }}, true), viewer.hide(new Set()), viewer.fit())")
    page_of_all.mouse.move(5, 5)
    page_of_all.wait_for_timeout(300)
    return page_of_all


def stage(page, pane):
    return page.locator(".stage").nth(pane)


def pixels(page, pane):
    """What is on the screen in a pane."""
    return np.asarray(Image.open(io.BytesIO(stage(page, pane).screenshot())).convert("RGB")).astype(int)


def bare_classes(page):
    """Classes in their full colours and nothing else, so that colours on the screen are classes."""
    ask(page, "viewer.set({ opacity: 1, outlines: false })")
    page.wait_for_timeout(200)


def zoom_in(page, pane, across=0.3, down=0.4, notches=8):
    box = stage(page, pane).bounding_box()
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])
    for _ in range(notches):
        page.mouse.wheel(0, -200)
    page.wait_for_timeout(400)


def test_the_ids_in_the_browser_are_the_models_own_at_12_megapixels(visit):
    rgb = blocks(3000, 4000)
    page = opened(visit(address()), rgb)
    at = np.random.default_rng(1).integers(0, rgb.shape[0] * rgb.shape[1], 1000)
    for source in (FIRST, SECOND):
        ids = ask(page, f"argument.map((i) => viewer.sources[{source}].ids[i])", at.tolist())
        np.testing.assert_array_equal(ids, answer(rgb, source).ravel()[at])


def test_all_panes_show_the_same_part_to_the_pixel(page):
    bare_classes(page)
    zoom_in(page, SECOND)
    left, top, scale = ask(page, "[viewer.viewport.left, viewer.viewport.top, viewer.viewport.scale]")
    assert scale > 4
    screens = [pixels(page, pane) for pane in range(4)]
    height, width = screens[0].shape[:2]
    differences = []
    for y, x in np.random.default_rng(2).integers(8, [height - 8, width - 8], (200, 2)):
        row, column = int(top + (y + 0.5) / scale), int(left + (x + 0.5) / scale)
        across, down = (left + (x + 0.5) / scale) % 1, (top + (y + 0.5) / scale) % 1
        if min(across, down, 1 - across, 1 - down) < 0.2:
            continue  # between two pixels of the picture the screen may round either way
        differences.append(np.abs(screens[PICTURE][y, x] - RGB[row, column]).max())
        for pane in (FIRST, SECOND):
            np.testing.assert_array_equal(screens[pane][y, x], COLORS[answer(RGB, pane)[row, column]])
    assert np.median(differences) < 10  # what JPEG does to blocks of 4 pixels; another block would be 50 off


def test_the_pointer_reads_every_model_at_once(page):
    zoom_in(page, PICTURE)
    column, row = (int(value) for value in page.locator(".readout").get_attribute("data-pixel").split(","))
    says = page.locator(".says").all_inner_texts()
    sure = round(100 * int(RGB[row, column, 1]) / 255)
    assert says[FIRST] == NAMES[answer(RGB, FIRST)[row, column]]
    assert says[SECOND] == f"{NAMES[RGB[row, column, 0] % 11]} {sure} %"
    readout = page.locator(".readout").inner_text()
    assert readout.startswith(f"{column}, {row} #")
    assert ("disagree" in readout) == (answer(RGB, FIRST)[row, column] != answer(RGB, SECOND)[row, column])


def test_a_swipe_shows_one_model_on_either_side(page):
    bare_classes(page)
    page.get_by_label("Layout").select_option("swipe")
    page.get_by_label("Left").select_option(str(FIRST))
    page.get_by_label("Right").select_option(str(SECOND))
    divider = page.get_by_role("separator", name="Divider")
    divider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "30")
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    screen = pixels(page, 0)
    scale = ask(page, "viewer.viewport.scale")
    for y, x in np.random.default_rng(3).integers(0, screen.shape[:2], (200, 2)):
        share = x / screen.shape[1]
        if abs(share - 0.3) < 0.05:
            continue  # the divider itself
        at = (y + 0.5) / scale, (x + 0.5) / scale
        if min(*(value % 1 for value in at), *(1 - value % 1 for value in at)) < 0.2:
            continue
        side = FIRST if share < 0.3 else SECOND
        np.testing.assert_array_equal(screen[y, x], COLORS[answer(RGB, side)[int(at[0]), int(at[1])]])


def test_a_hidden_class_shows_the_bare_picture_and_an_isolated_one_is_alone(page):
    bare_classes(page)
    sky = page.locator(".class", has_text="sky")
    sky.click()
    assert sky.get_attribute("aria-pressed") == "false"
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    height, width = pixels(page, FIRST).shape[:2]
    left = slice(10, width // 3)  # without the round corners
    upper, lower = (slice(10, height // 3), left), (slice(2 * height // 3, height - 10), left)
    picture, first = pixels(page, PICTURE), pixels(page, FIRST)
    np.testing.assert_array_equal(first[upper], picture[upper])
    assert (first[lower] == COLORS[1]).all()

    sky.click(modifiers=["Alt"])
    page.mouse.move(5, 5)
    page.wait_for_timeout(300)
    first = pixels(page, FIRST)
    assert (first[upper] == COLORS[0]).all()
    np.testing.assert_array_equal(first[lower], picture[lower])


HIDDEN = "viewer.classes.filter((one) => viewer.isHidden(one)).map((one) => one.name)"


def test_a_link_shows_the_same_models_picture_and_view_again(visit):
    page = opened(visit(address("starter/fcn", "starter/mask2former")))
    page.get_by_role("button", name="Traffic", exact=True).first.click()
    page.get_by_role("heading", name="Traffic").wait_for()
    ready(page)
    zoom_in(page, FIRST, notches=4)
    page.locator(".class").first.click()
    page.get_by_label("Opacity").fill("20")
    page.wait_for_timeout(600)
    place, hidden = ask(page, "viewer.viewport.record()"), ask(page, HIDDEN)
    assert place is not None
    assert len(hidden) == 1

    other = visit(page.url.split("/", 3)[3])
    other.get_by_role("heading", name="Traffic").wait_for()
    ready(other)
    assert ask(other, "viewer.models.map((model) => model.key)") == ["starter/fcn", "starter/mask2former"]
    np.testing.assert_allclose(ask(other, "viewer.viewport.record()"), place, atol=0.002)
    assert ask(other, HIDDEN) == hidden
    assert ask(other, "viewer.look.opacity") == 0.2


def test_an_address_that_somebody_has_changed_does_no_harm(visit):
    link = {"layout": "constructor", "view": "toString", "first": -3, "second": "x", "at": [1, None], "opacity": 7}
    link["choices"] = [["sky", "no"]]
    page = opened(visit(f"{address()}#view={quote(json.dumps(link))}"))
    kept = ["layout", "view", "first", "second", "opacity"]
    assert ask(page, f"{kept}.map((key) => viewer.look[key])") == ["grid", "classes", None, None, 0.55]
    assert ask(page, "viewer.viewport.isFitted")
    assert ask(page, HIDDEN) == []
    opened(visit(f"{address()}#view=%E0%A4%A"))


def test_settings_stay_from_page_to_page(visit):
    page = opened(visit(address(page="")))
    assert page.locator(".stage").count() == 1  # one model: one large pane
    page.get_by_label("Opacity").fill("20")
    page.locator(".class", has_text="sky").click()
    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator(".stage").nth(4).wait_for()
    ready(page)
    assert ask(page, "[viewer.layout, viewer.look.opacity]") == ["grid", 0.2]
    assert ask(page, HIDDEN) == ["sky"]


def test_a_region_is_brought_into_view_and_the_server_not_asked(page):
    sent = count_messages(page)
    page.locator(".region").first.click()
    page.wait_for_timeout(1200)
    assert sent() == 0
    left, top, right, bottom = ask(page, "viewer.data.regions[0].box")
    seen = ask(page, "[viewer.viewport.left, viewer.viewport.top, viewer.viewport.pane.width / viewer.viewport.scale]")
    assert seen[0] <= left
    assert seen[0] + seen[2] >= right
    assert seen[1] <= top
    assert ask(page, "viewer.viewport.scale > viewer.viewport.fitScale")


@pytest.fixture
def gate(app_log):
    """While this file is not there, Mask2Former's fake is at work on slow pictures."""
    path = app_log.with_name("gate")
    yield path
    path.unlink(missing_ok=True)


def test_answers_are_looked_at_while_others_are_awaited(visit, gate):
    page = opened(visit(address()))
    rgb = RGB[::-1]  # of other pictures the answers are known
    upload(page, "slow.png", rgb)
    expect(page.locator(".work:visible")).to_have_text(re.compile("^Looking at the picture"))
    page.wait_for_timeout(400)
    assert page.locator(".viewer:not([data-ready])").count() == 1
    ask(page, "(viewer.root.isTheSame = true)")
    assert ask(page, "viewer.models.map((model) => Boolean(model.ids))") == [True, True, False]
    np.testing.assert_array_equal(ask(page, f"Array.from(viewer.sources[{SECOND}].ids)"), answer(rgb, SECOND).ravel())
    zoom_in(page, FIRST)
    seen = ask(page, "viewer.viewport.record()")
    assert seen is not None
    page.locator(".class", has_text="road").click()

    gate.touch()
    ready(page)
    assert page.locator(".work:visible").count() == 0
    np.testing.assert_array_equal(ask(page, "Array.from(viewer.sources[3].ids)"), answer(rgb, FIRST).ravel())
    assert page.locator(".region").count() > 0
    assert ask(page, "viewer.root.isTheSame")  # and what the person did stays
    assert ask(page, "viewer.viewport.record()") == seen
    assert ask(page, HIDDEN) == ["road"]


def test_the_pane_of_a_model_that_fails_goes_and_the_others_stay(visit, gate):
    page = opened(visit(address()))
    upload(page, "slow failure.png", RGB[:, ::-1])
    page.locator(".work:visible").wait_for()
    assert page.locator(".stage").count() == 4
    gate.touch()
    page.get_by_text("This picture is too large for the device.").wait_for()
    ready(page)
    assert ask(page, "viewer.models.map((model) => model.key)") == ["starter/deeplabv3", READER]
    assert page.locator(".stage").count() == 3


def test_one_awaited_model_is_told_of_in_every_layout(visit, gate):
    page = opened(visit(address()))
    page.get_by_label("Layout").select_option("swipe")
    upload(page, "slow.png", RGB[::-1, ::-1])
    expect(page.locator(".work:visible")).to_have_text(re.compile("^Mask2Former starter: Looking at"))
    gate.touch()
    ready(page)
    assert page.locator(".work:visible").count() == 0


def test_the_views_of_right_and_wrong_follow_the_labels(visit):
    """The labels are what the reader finds: it is right everywhere, and alone where the others are wrong."""
    page = opened(visit(address()), RGB)
    page.get_by_test_id("stSidebar").get_by_text("Labels to score against").click()
    file = io.BytesIO()
    Image.fromarray(answer(RGB, SECOND)).save(file, "PNG")
    chosen = {"name": "truth.png", "mimeType": "image/png", "buffer": file.getvalue()}
    page.get_by_test_id("stSidebar").locator("input[type=file]").nth(1).set_input_files(chosen)
    page.locator(".stage").nth(4).wait_for()
    ready(page)

    first, right = answer(RGB, FIRST), answer(RGB, SECOND)
    dimmed, mine, theirs = [0, 0, 0, 128], [0, 158, 115, 204], [230, 159, 0, 204]
    white = [255, 255, 255, 230]
    page.get_by_label("View", exact=True).select_option("errors")
    assert (painted(page, SECOND)[0] == dimmed).all()
    colors, at = painted(page, FIRST)
    wrong = (first != right).ravel()[at]
    assert (colors[~wrong] == dimmed).all()
    expected = np.column_stack([COLORS[first.ravel()[at]], np.full(at.size, 230)])
    assert ((colors[wrong] == expected[wrong]).all(axis=1) | (colors[wrong] == white).all(axis=1)).all()
    assert 0.1 < (colors[wrong] == white).all(axis=1).mean() < 0.5  # lines, for those who do not see the colours

    page.get_by_label("View", exact=True).select_option("winners")
    colors, at = painted(page, SECOND)
    alone = (first != right).ravel()[at]  # the third says what the first says
    assert (colors[alone] == mine).all()
    assert (colors[~alone] == dimmed).all()
    colors, at = painted(page, FIRST)
    alone = (first != right).ravel()[at]
    assert ((colors[alone] == theirs).all(axis=1) | (colors[alone] == white).all(axis=1)).all()
    page.get_by_label("Against", exact=True).select_option("starter/mask2former")
    assert not (painted(page, FIRST)[0] == theirs).all(axis=1).any()  # which is never right alone against its twin


def painted(page, source):
    """The colours (N, 4) that a pane's canvas shows, and which pixel of the picture each one covers."""
    page.wait_for_timeout(400)
    found = ask(
        page,
        f"(() => {{ const pane = viewer.panes[{source}], {{ width, data }} = pane.image;"
        " const columns = viewer.viewport.columns(1), rows = viewer.viewport.rows(1), found = [];"
        " for (let i = 0; i < 2000; i++) { const at = (i * 7919) % (data.length / 4);"
        " const column = columns[at % width], row = rows[Math.floor(at / width)];"
        " if (column >= 0 && row >= 0)"
        " found.push([...data.slice(4 * at, 4 * at + 4), row * viewer.data.picture.width + column]); }"
        " return found; })()",
    )
    found = np.array(found)
    return found[:, :4], found[:, 4]


def test_models_of_two_label_sets_are_held_against_each_other_on_what_both_know(visit):
    one, other = catalog.find("starter/deeplabv3"), catalog.find("torchvision/fcn_resnet50")
    page = opened(visit(address(one.key, other.key)))
    found = ask(page, "[...viewer.models[0].verdicts.get(viewer.models[1])]")
    said = [
        Prediction(s.key, s.space, np.zeros((1, 1), np.uint8), None, None, StageTimes(0, 0, 0, 0)) for s in (one, other)
    ]
    expected = agreement.shared(*said).contradicting()
    np.testing.assert_array_equal(np.array(found).reshape(256, 256) == 2, expected)
    assert 0 < expected[:11, :21].sum() < 11 * 21


def test_the_arrow_keys_move_on_to_the_next_picture_but_not_from_inside_the_viewer(visit):
    page = opened(visit(address("starter/fcn", "starter/mask2former")))
    page.get_by_role("heading", name="Pictures", exact=True).click()
    page.keyboard.press("ArrowRight")
    page.get_by_role("heading", name="Traffic").wait_for()
    ready(page)
    page.locator(".viewer").focus()
    sent = count_messages(page)
    page.keyboard.press("ArrowRight")
    page.wait_for_timeout(1000)
    assert sent() == 0


def test_the_keyboard_does_it_all(page):
    page.locator(".viewer").focus()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    page.locator(".viewer").focus()
    for key in "++":
        page.keyboard.press(key)
    page.keyboard.press("ArrowRight")
    assert ask(page, "viewer.viewport.scale / viewer.viewport.fitScale") == pytest.approx(2.25)
    page.keyboard.press("0")
    assert ask(page, "viewer.viewport.isFitted")
    page.keyboard.press("o")
    page.keyboard.press(str(SECOND + 1))
    assert ask(page, "[viewer.look.layout, viewer.look.first]") == ["single", SECOND]
    page.keyboard.press("v")
    assert ask(page, "viewer.look.view") == "instances"


def test_a_name_that_is_markup_stays_text(visit):
    name = "<img src=x onerror=alert(1)>.png"
    said, page = [], visit(address())
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    opened(page, blocks(120, 160), name=name)
    page.wait_for_timeout(500)
    assert page.locator("img[src=x]").count() == 0
    assert said == []
    assert json.loads(ask(page, "JSON.stringify(viewer.data.picture)"))["name"] == name


def test_a_phone_shows_the_panes_one_below_the_other(visit):
    page = opened(visit(address("starter/fcn", "starter/mask2former"), width=390))
    boxes = [stage(page, pane).bounding_box() for pane in range(3)]
    assert len({round(box["x"]) for box in boxes}) == 1
    assert all(box["width"] > 320 for box in boxes)
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")


def count_messages(page):
    """A function that tells how often the page has asked the server for something since now."""
    page.evaluate(
        "() => { window.sent = 0; window.send ??= WebSocket.prototype.send; WebSocket.prototype.send = new Proxy("
        "window.send, { apply: (...call) => (window.sent++, Reflect.apply(...call)) }) }"
    )
    return lambda: page.evaluate("window.sent")


def test_nothing_is_asked_of_the_server_while_looking(page):
    sent = count_messages(page)
    zoom_in(page, FIRST)
    box = stage(page, FIRST).bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=5)
    page.mouse.up()
    page.locator(".class").first.click()
    for label, value in {"Opacity": "20", "Least confidence": "70"}.items():
        page.get_by_label(label).fill(value)
    page.get_by_label("Outlines").click()
    for layout in ("swipe", "single", "grid"):
        page.get_by_label("Layout").select_option(layout)
    page.get_by_label("View", exact=True).select_option("disagreement")
    page.wait_for_timeout(800)
    assert sent() == 0

    page.get_by_role("button", name="Traffic", exact=True).first.click()  # another picture is asked for
    page.get_by_role("heading", name="Traffic").wait_for()
    assert sent() > 0
