"""Panoptic postprocessing, ours against transformers', on the same queries: `python -m benchmarks.panoptic`.

The queries are drawn: masks at a quarter of a 384×384 input, KEPT of 100 sure of a class, 133 classes (COCO);
the picture has 1024×768 pixels. Times: medians over interleaved rounds. Both drop the rest before anything else.
"""

import statistics
import time
from types import SimpleNamespace

import torch
from transformers import Mask2FormerImageProcessor

from segdemo import devices
from segdemo.labels import COCO_PANOPTIC
from segdemo.models import panoptic_contest
from segdemo.models.mask_queries import MaskQueries

SIZE_HW = (768, 1024)
QUERIES, KEPT, ROUNDS = 100, 40, 7


def main() -> None:
    outputs = _queries()
    theirs_in = SimpleNamespace(
        class_queries_logits=outputs.class_logits, masks_queries_logits=outputs.mask_logits, patch_offsets=None
    )
    processor = Mask2FormerImageProcessor()
    ways = {
        "segdemo": lambda: panoptic_contest.panoptic(outputs, SIZE_HW, COCO_PANOPTIC.things),
        "transformers": lambda: processor.post_process_panoptic_segmentation(
            theirs_in, threshold=0.8, label_ids_to_fuse=set(range(133)) - COCO_PANOPTIC.things, target_sizes=[SIZE_HW]
        ),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    with torch.inference_mode():
        [ours], [theirs] = (way() for way in ways.values())
        for _ in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - start)
    print(f"{devices.describe('cpu')}, {torch.get_num_threads()} threads, {KEPT} of {QUERIES} queries sure of a class")
    for name, samples in seconds.items():
        print(f"  {name:14s}{1e3 * statistics.median(samples):8.1f} ms")
    medians = [statistics.median(samples) for samples in seconds.values()]
    segments = len(theirs["segments_info"])
    print(f"  transformers / segdemo: {medians[1] / medians[0]:.1f}; {len(ours.segments)} things, {segments} segments")


def _queries() -> MaskQueries:
    draw = torch.Generator().manual_seed(0)
    centres = torch.rand(QUERIES, 2, 1, 1, generator=draw) * 96
    places = torch.stack(torch.meshgrid(torch.arange(96.0), torch.arange(96.0), indexing="ij"))
    distances = (places - centres).square().sum(1).sqrt()
    nearest = distances[:KEPT].amin(0)
    masks = (0.5 - 2 * (distances - nearest))[None]  # those that are kept part the picture among them
    classes = torch.randn(1, QUERIES, 134, generator=draw)
    sure = torch.randint(0, 133, (KEPT,), generator=draw)
    classes[0, torch.arange(KEPT), sure] += 12
    classes[0, KEPT:, -1] += 12
    return MaskQueries(classes, masks, (384, 384))


if __name__ == "__main__":
    main()
