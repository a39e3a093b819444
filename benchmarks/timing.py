"""Does `segdemo.benchmark` measure what torch's own timer measures? `python -m benchmarks.timing [--key KEY …]`

The same callable, the three stages on one picture, timed by both in turns: blocks of calls by `torch.utils.benchmark`
with as many threads, and single calls as the benchmark takes them. Prints both medians and their ratio.
"""

import argparse
import statistics

from torch.utils import benchmark as torch_benchmark

from segdemo import devices, models
from segdemo.datasets.street_scenes import street_scene
from segdemo.images import InputImage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--key", nargs="+", default=["starter/fcn", "starter/segformer", "starter/mask2former"])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=30)
    arguments = parser.parse_args()
    device = devices.choose(arguments.device)
    print(f"{devices.describe(device)}, {devices.threads()} threads, 512×512, {arguments.rounds} rounds in turns")
    for key in arguments.key:
        ours, torchs = _both(key, device, arguments.rounds)
        print(f"{key:24s} segdemo {1e3 * ours:8.2f} ms  torch {1e3 * torchs:8.2f} ms  ratio {ours / torchs:.3f}")


def _both(key: str, device: str, rounds: int) -> tuple[float, float]:
    """Median seconds of a call by both."""
    model = models.load(key, device, score_threshold=0.0)
    pictures = [InputImage(street_scene(0, (512, 512)).rgb, digest="", name="scene")]
    timer = torch_benchmark.Timer(
        "run(model, pictures, settle=model.settle)",
        globals={"run": models.run_stages, "model": model, "pictures": pictures},
        num_threads=devices.threads(),
    )
    timer.timeit(3)
    ours, torchs = [], []
    for _ in range(rounds):
        ours.append(models.run_stages(model, pictures, settle=model.settle)[1].total_s)
        torchs.append(timer.timeit(1).median)
    return statistics.median(ours), statistics.median(torchs)


if __name__ == "__main__":
    main()
