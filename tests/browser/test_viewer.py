"""The viewer in a real browser: pixels, not presence."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from segdemo.labels import CAMVID

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


def settled(page):
    page.wait_for_function("!document.querySelector('[data-testid=stStatusWidget]')")


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


def opened(page, rgb=None, name="blocks.png"):
    """The Compare page with DeepLabV3, the reader and Mask2Former, and a picture of one's own."""
    page.get_by_alt_text("The picture with its classes drawn over it").wait_for()
    if rgb is not None:
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "PNG")
        chosen = {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}
        page.get_by_test_id("stSidebar").locator("input[type=file]").first.set_input_files(chosen)
        page.get_by_role("heading", name=name).wait_for()
        page.get_by_text("SegFormer", exact=True).click()
        page.locator(f".st-key-model-{READER.replace('/', '-')} label").click()
        page.get_by_text("3 of at most 6 chosen").wait_for()
    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator(".viewer").wait_for()
    ready(page)
    return page


@pytest.fixture(scope="module")
def page_of_all(chromium, app_url):
    page = chromium.new_page()
    page.set_viewport_size({"width": 1280, "height": 1400})
    page.goto(app_url)
    yield opened(page, RGB)
    page.close()


@pytest.fixture
def page(page_of_all):
    """The Compare page with the picture `RGB`, as it opens."""
    plain = "layout: 'grid', view: 'classes', opacity: 0.55, threshold: 0, outlines: true, divider: 0.5"
    ask(page_of_all, f"(viewer.set({{ {plain}, hidden: new Set() }}, true), viewer.fit())")
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
    page = opened(visit(), rgb)
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
    assert divider.get_attribute("aria-valuenow") == "30"
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


def test_a_link_shows_the_same_again(visit):
    page = opened(visit())
    zoom_in(page, FIRST, notches=4)
    page.locator(".class").first.click()
    page.wait_for_timeout(600)
    place = ask(page, "viewer.viewport.record()")
    hidden = ask(page, "[...viewer.look.hidden]")
    assert place is not None
    assert len(hidden) == 1

    other = visit(page.url.split("/", 3)[3])
    ready(other)
    np.testing.assert_allclose(ask(other, "viewer.viewport.record()"), place, atol=0.002)
    assert ask(other, "[...viewer.look.hidden]") == hidden


def test_an_address_that_somebody_has_changed_does_no_harm(page):
    link = {"layout": "constructor", "view": "toString", "first": -3, "second": "x", "at": [1, None], "hide": ["sky"]}
    ask(page, "history.replaceState(null, '', '#view=' + encodeURIComponent(JSON.stringify(argument)))", link)
    ask(page, "(Object.assign(viewer.look, viewer.remembered()), viewer.keepChoicesValid())")
    kept = ask(page, "['layout', 'view', 'first', 'second'].map((key) => viewer.look[key]).concat([viewer.linked.at])")
    assert kept == ["grid", "classes", 1, 2, None]


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
    said, page = [], visit()
    page.on("dialog", lambda dialog: said.append(dialog.message) or dialog.dismiss())
    opened(page, blocks(120, 160), name=name)
    page.wait_for_timeout(500)
    assert page.locator("img[src=x]").count() == 0
    assert said == []
    assert json.loads(ask(page, "JSON.stringify(viewer.data.picture)"))["name"] == name


def test_a_phone_shows_the_panes_one_below_the_other(visit, app_url):
    page = visit(width=390)
    page.get_by_alt_text("The picture with its classes drawn over it").wait_for()
    page.goto(f"{app_url}/compare")
    ready(page)
    boxes = [stage(page, pane).bounding_box() for pane in range(3)]
    assert len({round(box["x"]) for box in boxes}) == 1
    assert all(box["width"] > 320 for box in boxes)
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")


def test_nothing_is_asked_of_the_server_while_looking(page):
    page.evaluate(
        "() => { window.sent = 0; WebSocket.prototype.send = new Proxy(WebSocket.prototype.send, "
        "{ apply: (...call) => (window.sent++, Reflect.apply(...call)) }) }"
    )
    zoom_in(page, FIRST)
    box = stage(page, FIRST).bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + 20, box["y"] + 20, steps=5)
    page.mouse.up()
    page.locator(".class").first.click()
    for label, value in {"Opacity": "20", "Least confidence": "70"}.items():
        page.get_by_label(label).fill(value)
    for layout in ("swipe", "single", "grid"):
        page.get_by_label("Layout").select_option(layout)
    page.get_by_label("View", exact=True).select_option("disagreement")
    page.get_by_label("Outlines").click()
    page.wait_for_timeout(800)
    assert page.evaluate("window.sent") == 0

    page.get_by_role("button", name="Traffic", exact=True).click()  # another picture is asked for
    page.get_by_role("heading", name="Traffic").wait_for()
    assert page.evaluate("window.sent") > 0
