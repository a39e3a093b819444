"""What a run saves where the process keeps the memory that tensors leave (`devices.keep_pages`).

    python -m benchmarks.kept_pages [KEY ...]

Each model answers a generated scene of 480×360 in threads of their own, as in the app, in a process that keeps memory
and in one that does not: three of each, in turns. A page fault is a page of memory that the kernel clears.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from segdemo import devices, models
from segdemo.datasets.street_scenes import street_scene
from segdemo.images import InputImage

KEYS = ("starter/fcn", "starter/efficientnet_unet", "starter/segformer", "starter/mask2former")
PROCESSES, THREADS, RUNS = 3, 3, 8
Result = TypeVar("Result")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("keys", nargs="*", default=KEYS)
    parser.add_argument("--child", choices=("kept", "returned"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(_child(arguments.keys, arguments.child == "kept")))
        return
    print(f"{devices.describe('cpu')}, fp32, medians")
    print("model                      returned ms  faults    kept ms  faults   times as fast")
    found = {way: [_of_a_process(arguments.keys, way) for _ in range(PROCESSES)] for way in ("returned", "kept")}
    for key in arguments.keys:
        (returned, faults), (kept, fewer) = (
            np.median([process[key] for process in found[way]], axis=0) for way in ("returned", "kept")
        )
        print(f"{key:26} {returned:11.1f} {faults:7.0f} {kept:10.1f} {fewer:7.0f} {returned / kept:10.2f}")


def _of_a_process(keys: list[str], way: str) -> dict[str, list[float]]:
    command = [sys.executable, "-m", "benchmarks.kept_pages", "--child", way, *keys]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _child(keys: list[str], kept: bool) -> dict[str, list[float]]:
    """Of each model the median milliseconds of a run and its page faults."""
    if not kept:
        devices.keep_pages = lambda: None
    image = InputImage(street_scene(0).rgb, "", "scene")
    return {key: _of_a_model(key, image) for key in keys}


def _of_a_model(key: str, image: InputImage) -> list[float]:
    model = _in_a_thread(lambda: models.load(key, "cpu"))
    runs = [_in_a_thread(lambda: [_run(model, image) for _ in range(RUNS)]) for _ in range(THREADS)]
    return np.median(np.concatenate(runs[1:]), axis=0).tolist()  # the first thread's are for warming up


def _in_a_thread(work: Callable[[], Result]) -> Result:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


def _run(model: models.Model, image: InputImage) -> tuple[float, int]:
    faults, start = resource.getrusage(resource.RUSAGE_SELF).ru_minflt, time.perf_counter()
    models.predict(model, [image])
    return 1000 * (time.perf_counter() - start), resource.getrusage(resource.RUSAGE_SELF).ru_minflt - faults


if __name__ == "__main__":
    main()
