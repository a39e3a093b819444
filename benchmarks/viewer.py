"""What looking costs: `python -m benchmarks.viewer`.

In headless Chromium without a GPU, with the bundled models and a generated scene of 2 megapixels:

first view: from the choice of a file to the frame in which all panes are drawn, by the page's own clock, with four
models that have answered before, against the sum of the models' own times; the median of five pictures. Models,
server and browser share the machine: beside it stands what the models take without the other two.
redraw: the mean time of drawing six panes anew (the picture and five models), zooming in and out.
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from segdemo import devices, images, models
from segdemo.datasets.street_scenes import street_scene

ROOT = Path(__file__).parents[1]
SIZE_HW = (1224, 1632)  # 2 megapixels
PORT = 8623
VIEWS = 5
REDRAWS = 40
MODELS = ("starter/fcn", "starter/deeplabv3", "starter/segformer", "starter/mask2former")

_REDRAW = """async (root, count) => {
  const viewer = root.viewer, times = [];
  for (let i = 0; i < count; i++) {
    viewer.viewport.zoom(i % 20 < 10 ? 1.2 : 1 / 1.2);
    const start = performance.now();
    viewer.draw();
    times.push(performance.now() - start);
    await new Promise(requestAnimationFrame);
  }
  return times.reduce((a, b) => a + b) / count;
}"""


_WATCH = """(root) => {
  const before = root.dataset.ready, frame = () => new Promise(requestAnimationFrame);
  let start = 0;
  document.addEventListener("change", () => (start = performance.now()), { capture: true, once: true });
  window.drawn = new Promise((resolve) => {
    new MutationObserver(async () => {
      if (!root.dataset.ready || root.dataset.ready === before) return;
      await frame(); // in which it is drawn
      await frame();
      resolve((performance.now() - start) / 1000);
    }).observe(root, { attributes: true });
  });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        own = {"SEGDEMO_RESULTS": str(Path(folder) / "results.sqlite")}
        options = ["--server.port", str(PORT), "--server.headless", "true"]
        command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "streamlit_app.py"), *options]
        app = subprocess.Popen(command, cwd=ROOT, env=os.environ | own, stdout=subprocess.DEVNULL)
        try:
            _wait(f"http://localhost:{PORT}/_stcore/health")
            browser = playwright.chromium.launch(
                executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
            )
            _measure(browser.new_page(viewport={"width": 1280, "height": 1400}))
        finally:
            app.terminate()
            app.wait(20)
    print(f"the models alone, on the same pictures: {_alone():.2f} s")


def _measure(page: Page) -> None:
    page.set_default_timeout(300_000)
    page.goto(f"http://localhost:{PORT}/compare?models={','.join(MODELS)}")
    page.locator(".viewer[data-ready]").wait_for()
    print(f"{devices.describe('cpu')}, {SIZE_HW[1]}×{SIZE_HW[0]}")

    warm, *scenes = (_scene(seed) for seed in range(1 + VIEWS))
    _upload(page, "warm.jpg", warm)  # all models have answered once
    views = [_first_view(page, f"{i}.jpg", scene) for i, scene in enumerate(scenes)]
    seen, own = statistics.median_low(views)
    ratios = sorted(seen / own for seen, own in views)
    print(f"first view of 4 models: {seen:.2f} s, the models' own times {own:.2f} s")
    print(f"ratio: median {statistics.median(ratios):.2f}, {ratios[0]:.2f} to {ratios[-1]:.2f}")

    page.locator(".st-key-model-starter-maskrcnn label").click()
    page.locator(".stage").nth(5).wait_for()
    page.locator(".viewer[data-ready]").wait_for()
    page.wait_for_timeout(2000)
    panes = page.locator(".stage").count()
    print(f"redraw of {panes} panes: {page.locator('.viewer').evaluate(_REDRAW, REDRAWS):.1f} ms")


def _first_view(page: Page, name: str, data: bytes) -> tuple[float, float]:
    """Seconds until all panes are drawn, and those that the models took."""
    page.wait_for_timeout(1500)  # the page around the viewer is done with the picture before
    viewer = page.locator(".viewer")
    viewer.evaluate(_WATCH)
    _upload(page, name, data)
    seen = page.evaluate("window.drawn")
    return seen, viewer.evaluate("(root) => root.viewer.models.reduce((sum, one) => sum + one.seconds, 0)")


def _alone() -> float:
    """Seconds that the models take in a program of their own, as precisely as in the app."""
    warm, *pictures = (images.decode(_scene(seed), "scene.jpg") for seed in range(1 + VIEWS))
    total = 0.0
    for key in MODELS:
        model = models.load(key, "cpu", "auto")
        models.predict(model, [warm])
        total += statistics.median(models.predict(model, [one])[0].times.total_s for one in pictures)
    return total


def _scene(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(street_scene(seed, SIZE_HW).rgb).save(file, "JPEG", quality=90)
    return file.getvalue()


def _upload(page: Page, name: str, data: bytes) -> None:
    """Upload a picture and wait until all panes are drawn."""
    before = page.locator(".viewer").get_attribute("data-ready")
    chosen = {"name": name, "mimeType": "image/jpeg", "buffer": data}
    page.get_by_test_id("stSidebar").locator("input[type=file]").first.set_input_files(chosen)
    page.locator(f".viewer[data-ready]:not([data-ready='{before}'])").wait_for()


def _wait(url: str) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError:
            time.sleep(0.25)
    raise RuntimeError("the app does not answer")


if __name__ == "__main__":
    main()
