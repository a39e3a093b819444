"""The app on a free port, and Chromium to look at it."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from segdemo.labels import CAMVID

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def app_log(tmp_path_factory):
    """What the app prints; "loading KEY" for every model that it loads."""
    return tmp_path_factory.mktemp("app") / "log.txt"


@pytest.fixture(scope="session")
def app_url(app_log):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    write_labelled_pictures(app_log.parent / "datasets" / "blocks")
    own = {
        "SEGDEMO_DATASETS": str(app_log.parent / "datasets"),
        "SEGDEMO_RESULTS": str(app_log.parent / "results.sqlite"),
    }
    with app_log.open("w") as out:
        app = subprocess.Popen(
            [sys.executable, ROOT / "tests/browser/serve.py", str(port), app_log.with_name("gate")],
            cwd=ROOT, stdout=out, stderr=out, env=os.environ | own,
        )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(f"{url}/_stcore/health", app, app_log)
        yield url
    finally:
        app.terminate()
        app.wait(20)
    assert "Traceback" not in app_log.read_text(), app_log.read_text()


@pytest.fixture(scope="session")
def chromium(app_url):
    """One profile for all, so that the app's scripts are fetched and compiled once; every page is a new person.

    The first of them follows a link: the app has run for nobody yet, and must find the page nevertheless.
    """
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(accept_downloads=True)
        context.set_default_timeout(120_000)  # a busy machine
        expect.set_options(timeout=60_000)
        page = context.new_page()
        page.goto(f"{app_url}/compare")
        page.locator(".viewer[data-ready]").wait_for()
        assert (
            page.locator(".stage").count() == 4
        )  # Compare with the picture, its labels and the two models of a first visit
        assert page.get_by_text("Page not found").count() == 0
        page.close()
        yield context
        browser.close()


@pytest.fixture
def visit(chromium, app_url):
    """Open a page of the app as a new person, at a width. No page may ask anybody but the app for anything."""
    pages, elsewhere = [], []

    def watch(request):
        if request.url.startswith("http") and not request.url.startswith(app_url):
            elsewhere.append(request.url)

    def opened(path="", width=1280):
        pages.append(chromium.new_page())
        pages[-1].on("request", watch)
        pages[-1].set_viewport_size({"width": width, "height": 900})
        pages[-1].goto(f"{app_url}/{path}")
        return pages[-1]

    yield opened
    for page in pages:
        page.close()
    assert elsewhere == []


def write_labelled_pictures(folder):
    """Six pictures on which the fake models are right but for cars at the foot, the more the later the picture."""
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for i in range(6):
        labels = np.zeros((120, 160), np.uint8)
        labels[60:, :80], labels[60:, 80:] = 1, 3
        labels[120 - 8 * i :] = CAMVID.classes.index("car")
        Image.fromarray(labels).save(folder / "labels" / f"{i}.png")
        Image.new("RGB", (160, 120), (40 + 20 * i, 90, 60)).save(folder / "images" / f"{i}.png")
    rows = [{"id": i, "name": name, "color": CAMVID.colors[i]} for i, name in enumerate(CAMVID.classes)]
    (folder / "classes.json").write_text(json.dumps({"name": "blocks", "ignore_index": 255, "classes": rows}))


def _wait(url, app, log):
    for _ in range(240):
        if app.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise AssertionError(f"the app does not answer:\n{log.read_text()}")
