import re
import subprocess
import sys

import pytest
import torch
from torchvision.models import get_weight, list_models
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from segdemo.errors import ModelError
from segdemo.labels import ADE20K, CAMVID, CITYSCAPES, COCO_PANOPTIC, COCO_THINGS, VOC
from segdemo.models import catalog, weights
from segdemo.models.catalog import CATALOG

TORCHVISION = [spec for spec in CATALOG if spec.source == "torchvision"]
HUB = [spec for spec in CATALOG if spec.source == "huggingface"]
by_key = pytest.mark.parametrize("spec", CATALOG, ids=lambda spec: spec.key)
by_torchvision_key = pytest.mark.parametrize("spec", TORCHVISION, ids=lambda spec: spec.key)
by_hub_key = pytest.mark.parametrize("spec", HUB, ids=lambda spec: spec.key)


def test_importing_the_catalogue_imports_no_torch():
    code = (
        "import sys; import segdemo.models.catalog; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_keys_and_titles_are_unique():
    assert len({spec.key for spec in CATALOG}) == len({spec.title for spec in CATALOG}) == len(CATALOG)


def test_every_family_of_the_first_issue_is_there():
    keys = {spec.key for spec in CATALOG}
    assert {f"starter/{name}" for name in ("fcn", "deeplabv3", "maskrcnn", "segformer", "mask2former")} <= keys
    assert len(TORCHVISION) == 8
    assert {f"nvidia/segformer-b{i}-finetuned-cityscapes-1024-1024" for i in range(6)} <= keys
    assert {f"nvidia/segformer-b{i}-finetuned-ade-512-512" for i in range(5)} <= keys
    for size in ("tiny", "small", "base", "large"):
        for data in ("ade-semantic", "coco-instance", "coco-panoptic"):
            assert f"facebook/mask2former-swin-{size}-{data}" in keys


@by_key
def test_every_row_is_complete(spec):
    assert spec.title
    assert spec.family
    assert spec.licence
    assert spec.paper.startswith("https://arxiv.org/abs/")
    assert 2014 <= spec.year <= 2026
    assert (spec.download_bytes == 0) == (spec.source == "starter")
    assert (spec.revision is not None) == (spec.source == "huggingface")
    for figure in spec.published:
        assert figure.metric
        assert 0 < figure.value < 100
        assert figure.dataset
        assert figure.protocol
        assert figure.source


def test_find_gives_the_row_and_names_the_keys_otherwise():
    assert catalog.find("starter/fcn").family == "FCN"
    with pytest.raises(ModelError, match="no model 'unet'.*starter/fcn"):
        catalog.find("unet")


@by_torchvision_key
def test_torchvision_rows_agree_with_the_weights_enum(spec):
    assert spec.architecture in list_models()
    enum = get_weight(spec.checkpoint)
    assert spec.download_bytes == pytest.approx(enum.meta["_file_size"] * 2**20, abs=1)
    [metrics] = enum.meta["_metrics"].values()
    names = {"miou": "mIoU", "pixel_acc": "pixel accuracy", "box_map": "box AP", "mask_map": "mask AP"}
    assert {figure.metric: figure.value for figure in spec.published} == {
        names[name]: value for name, value in metrics.items()
    }
    assert weights.TORCHVISION_FILES[spec.checkpoint] == enum.url.rsplit("/", 1)[1]


@by_torchvision_key
def test_torchvision_rows_name_the_classes_of_the_weights(spec):
    categories = get_weight(spec.checkpoint).meta["categories"]
    if spec.task == "semantic":
        assert spec.space == VOC
        assert tuple(categories[1:]) == VOC.classes[1:]
        assert categories[0] == "__background__"
    else:
        assert spec.space == COCO_THINGS
        assert tuple(x for x in categories if x not in ("__background__", "N/A")) == COCO_THINGS.classes


@by_hub_key
def test_hub_rows_name_task_and_classes_as_their_id_does(spec):
    assert spec.key == spec.checkpoint
    expected = {
        r"[-_/]ade": ("semantic", ADE20K),
        "cityscapes": ("semantic", CITYSCAPES),
        "coco.instance": ("instance", COCO_THINGS),
        "coco.panoptic|-coco$": ("panoptic", COCO_PANOPTIC),
        "openmmlab/upernet": ("semantic", ADE20K),  # says so on its page
        "apple/deeplabv3-mobilevit": ("semantic", VOC),
    }
    [found] = [value for part, value in expected.items() if re.search(part, spec.key)]
    assert (spec.task, spec.space) == found


def test_starters_know_the_street_classes():
    assert all(spec.space == CAMVID for spec in CATALOG if spec.source == "starter")


@pytest.mark.parametrize(
    ("size", "depths", "widths", "decoder"),
    [
        ("b0", [2, 2, 2, 2], [32, 64, 160, 256], 256),
        ("b1", [2, 2, 2, 2], [64, 128, 320, 512], 256),
        ("b2", [3, 4, 6, 3], [64, 128, 320, 512], 768),
        ("b3", [3, 4, 18, 3], [64, 128, 320, 512], 768),
        ("b4", [3, 8, 27, 3], [64, 128, 320, 512], 768),
        ("b5", [3, 6, 40, 3], [64, 128, 320, 512], 768),
    ],
)
def test_segformers_download_sizes_are_those_of_their_parameters(size, depths, widths, decoder):
    rows = [spec for spec in HUB if f"segformer-{size}" in spec.key]
    assert len(rows) == 2
    for spec in rows:
        config = SegformerConfig(
            depths=depths, hidden_sizes=widths, decoder_hidden_size=decoder, num_labels=len(spec.space.classes)
        )
        with torch.device("meta"):
            network = SegformerForSemanticSegmentation(config)
        assert spec.download_bytes == 4 * sum(p.numel() for p in network.parameters())
