"""The app in a real browser, with fake models: above class 0 (sky), below 1 (building) and 3 (road)."""

import io
import json
import zipfile

import numpy as np
from PIL import Image
from steps import photographed, settled

from segdemo.labels import CAMVID
from segdemo.ui.state import FIRST_MODELS

GREEN = (20, 180, 40)


def picture_bytes(color=GREEN):
    file = io.BytesIO()
    Image.new("RGB", (320, 240), color).save(file, "PNG")
    return file.getvalue()


def upload(page, name, data=None):
    file = {"name": name, "mimeType": "image/png", "buffer": data or picture_bytes()}
    page.get_by_test_id("stSidebar").locator("input[type=file]").first.set_input_files(file)


def viewer_panes(page):
    """The viewer's panes, once all is drawn: on Segment the model's, on Compare first the bare picture."""
    page.locator(".viewer[data-ready]").wait_for()
    settled(page)
    page.wait_for_timeout(300)
    return page.locator(".stage")


def pixel(element, across, down):
    """The colour on the screen at a place of an element, both in [0, 1]."""
    screen = np.asarray(Image.open(io.BytesIO(photographed(element))).convert("RGB")).astype(int)
    return screen[int(down * screen.shape[0]), int(across * screen.shape[1])]


def blended(class_name, opacity=0.55):
    color = np.array(CAMVID.colors[CAMVID.classes.index(class_name)])
    return opacity * color + (1 - opacity) * np.array(GREEN)


def assert_overlay(element, opacity=0.55):
    for place, name in {(0.5, 0.25): "sky", (0.25, 0.75): "building", (0.75, 0.75): "road"}.items():
        np.testing.assert_allclose(pixel(element, *place), blended(name, opacity), atol=6)


def downloaded(page):
    with page.expect_download() as download:
        page.get_by_role("button", name="Download results (zip)").click()
    return zipfile.ZipFile(download.value.path())


def test_upload_choose_look_switch_pages_and_download(visit, tmp_path):
    page = visit()
    viewer_panes(page)
    upload(page, "my street.png")
    page.get_by_role("heading", name="my street.png").wait_for()
    assert_overlay(viewer_panes(page).first)

    page.locator(".st-key-model-starter-maskrcnn label").click()
    page.get_by_text("3 of at most 6 chosen").wait_for()
    page.get_by_test_id("stSidebar").locator("summary", has_text="LR-ASPP").click()
    page.get_by_test_id("stSidebar").get_by_text("MB to download").wait_for()

    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator(".viewer[data-ready] .stage").nth(3).wait_for()  # the page before has the same heading, and one pane
    panes = viewer_panes(page)
    assert panes.count() == 4
    boxes = [panes.nth(i).bounding_box() for i in range(4)]
    assert len({(round(box["width"]), round(box["height"])) for box in boxes}) == 1
    assert_overlay(panes.nth(1))

    files = downloaded(page)
    labels = Image.open(io.BytesIO(files.read(f"my street.{FIRST_MODELS[0].replace('/', '-')}.labels.png")))
    assert labels.mode == "P"
    assert labels.size == (320, 240)
    assert [labels.getpixel(at) for at in ((160, 60), (80, 180), (240, 180))] == [0, 1, 3]
    record = json.loads(files.read("my street.starter-maskrcnn.json"))
    assert record["model"]["key"] == "starter/maskrcnn"
    assert len(record["segments"]) == 1
    assert sum(name.endswith(".overlay.jpg") for name in files.namelist()) == 3

    with page.expect_download() as download:
        page.get_by_role("button", name="Download report (HTML)").click()
    download.value.save_as(tmp_path / "report.html")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tmp_path / "report.html").as_uri())
    page.get_by_role("heading", name="my street.png").wait_for()
    assert page.locator("figure img").count() == 4
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []


def test_a_class_is_switched_off_and_the_opacity_changed_from_the_keyboard_and_the_view_is_saved(visit):
    page = visit()
    viewer_panes(page)
    upload(page, "plain.png")
    page.get_by_role("heading", name="plain.png").wait_for()
    pane = viewer_panes(page).first
    page.locator(".class", has_text="sky").focus()
    page.keyboard.press("Space")
    page.get_by_label("Opacity").focus()
    page.keyboard.press("Home")
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_timeout(500)
    np.testing.assert_allclose(pixel(pane, 0.5, 0.25), GREEN, atol=4)
    np.testing.assert_allclose(pixel(pane, 0.25, 0.75), blended("building", 0.05), atol=5)

    with page.expect_download() as download:
        page.get_by_role("button", name="Save view").click()
    saved = Image.open(download.value.path())
    assert saved.format == "PNG"
    at = saved.width // 4, 3 * saved.height // 4
    np.testing.assert_allclose(saved.convert("RGB").getpixel(at), blended("building", 0.05), atol=5)


def test_a_hostile_file_name_stays_text(visit):
    page = visit()
    shown = []
    page.on("dialog", lambda dialog: (shown.append(dialog.message), dialog.dismiss()))
    viewer_panes(page)
    name = "<img src=x onerror=alert(1)>.png"
    upload(page, name)
    page.get_by_role("heading", name=name).wait_for()
    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator(".viewer[data-ready] .stage").nth(2).wait_for()
    viewer_panes(page)
    assert page.locator("img[src=x]").count() == 0
    assert shown == []


def test_a_phone_needs_no_sideways_scrolling(visit):
    page = visit(width=390)
    pane = viewer_panes(page).first
    for target in ("document.documentElement", "document.querySelector('[data-testid=stMain]')"):
        assert page.evaluate(f"{target}.scrollWidth <= {target}.clientWidth")
    assert pane.bounding_box()["width"] > 330


def test_a_deep_link_to_the_compare_page_has_the_frame(visit):
    page = visit("compare")
    viewer_panes(page)
    page.get_by_test_id("stSidebar").get_by_text("Upload pictures").wait_for()
    page.get_by_role("link", name="Segment", exact=True).wait_for()
    assert page.get_by_test_id("stException").count() == 0
