"""What a run owes to those before and beside it: memory kept for it, and threads that others let go.

    python -m benchmarks.between_runs [KEY ...]

Each model answers a generated scene of 480×360 in threads of their own, as in the app, in three processes of each kind:
as it comes: without `devices.keep_pages`. as in the app. beside another: with it, but without
`devices.release_threads`, after another thread has run the model and stays, as one that waits for its next turn.
A page fault is a page of memory that the kernel clears, a wait a thread that sleeps; both are of one run.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from segdemo import devices, models
from segdemo.datasets.street_scenes import street_scene
from segdemo.images import InputImage

KEYS = ("starter/fcn", "starter/efficientnet_unet", "starter/segformer", "starter/mask2former")
WAYS = ("as it comes", "as in the app", "beside another")
PROCESSES, THREADS, RUNS = 3, 3, 8
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keys", nargs="*", default=KEYS)
    parser.add_argument("--child", choices=WAYS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps({key: _of_a_model(key, arguments.child) for key in arguments.keys}))
        return
    print(f"{devices.describe('cpu')}, {devices.threads()} threads, fp32, medians")
    print("model                      way                   ms  page faults  waits  times as long")
    processes = [{way: _of_a_process(arguments.keys, way) for way in WAYS} for _ in range(PROCESSES)]
    for key in arguments.keys:
        found = {way: np.median([process[way][key] for process in processes], axis=0) for way in WAYS}
        for way, (ms, faults, waits) in found.items():
            ratio = ms / found["as in the app"][0]
            print(f"{key:26} {way:16} {ms:7.1f} {faults:12.0f} {waits:6.0f} {ratio:14.2f}")


def _of_a_process(keys: Sequence[str], way: str) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.between_runs", "--child", way, *keys]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _of_a_model(key: str, way: str) -> list[float]:
    """The medians of this process: milliseconds, page faults and waits of a run."""
    if way == "as it comes":
        devices.keep_pages = lambda: None
    if way == "beside another":
        devices.release_threads = lambda: None
    image = InputImage(street_scene(0).rgb, "", "scene")
    model = _in_a_thread(lambda: models.load(key, "cpu"))
    if way == "beside another":
        _run(model, image)  # in this thread
    runs = [_in_a_thread(lambda: [_run(model, image) for _ in range(RUNS)]) for _ in range(THREADS)]
    return np.median(np.concatenate(runs[1:]), axis=0).tolist()  # the first thread's are for warming up


def _in_a_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _run(model: models.Model, image: InputImage) -> tuple[float, int, int]:
    before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    models.predict(model, [image])
    ms, after = 1000 * (time.perf_counter() - start), resource.getrusage(resource.RUSAGE_SELF)
    return ms, after.ru_minflt - before.ru_minflt, after.ru_nvcsw - before.ru_nvcsw


if __name__ == "__main__":
    main()
