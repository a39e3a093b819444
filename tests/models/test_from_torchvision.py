import dataclasses
import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional as F
from torchvision.models import get_model, get_weight
from torchvision.models._api import WeightsEnum
from torchvision.transforms import functional as TF

from segdemo.errors import WeightsError
from segdemo.images import InputImage
from segdemo.labels import CAMVID, COCO_THINGS, VOID
from segdemo.models import catalog, from_torchvision, predict, torchvision_networks, weights
from segdemo.models.architectures import small_torchvision
from segdemo.models.semantic import resized_hw

LRASPP = "torchvision/lraspp_mobilenet_v3_large"
SMALL = 96  # shorter side in the tests, for speed


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    torch.manual_seed(7)


def picture(height, width, seed=0):
    """Smooth blobs of colour."""
    coarse = np.random.default_rng(seed).uniform(-40, 295, (height // 12 + 2, width // 12 + 2, 3))
    smooth = F.interpolate(torch.from_numpy(coarse).permute(2, 0, 1)[None], (height, width), mode="bicubic")
    rgb = smooth[0].permute(1, 2, 0).clamp(0, 255).to(torch.uint8).numpy().copy()
    rgb.setflags(write=False)
    return InputImage(rgb, digest=str(seed), name=f"{seed}.png")


def as_tensor(image):
    return torch.from_numpy(image.rgb.copy()).permute(2, 0, 1)[None]


def give_statistics(network):
    """Batch normalisations that do something."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.normal_(0, 0.1)
    return network.eval()


@torch.no_grad()
def restless(network):
    """Random weights whose logits change from place to place, so that every class wins somewhere."""
    give_statistics(network)
    logits = network(torch.randn(1, 3, SMALL, SMALL))["out"]
    mean, std = logits.mean((0, 2, 3)), logits.std((0, 2, 3))
    head = network.classifier
    last = [head.low_classifier, head.high_classifier] if hasattr(head, "low_classifier") else [head[-1]]
    for conv in last:
        conv.weight /= std.view(-1, 1, 1, 1)
        conv.bias /= std
    last[0].bias -= mean / std
    return network


@torch.no_grad()
def bold(detector):
    """Random weights that are sure of what they see: boxes near the anchors, five classes, scores above 0.5."""
    give_statistics(detector)
    predictor = detector.roi_heads.box_predictor
    predictor.cls_score.weight *= 30
    predictor.cls_score.weight[0] = predictor.cls_score.weight[6:] = 0
    predictor.bbox_pred.weight *= 0.01
    detector.roi_heads.mask_predictor.mask_fcn_logits.weight *= 30
    detector.rpn.head.bbox_pred.weight *= 0.01
    detector.rpn._post_nms_top_n = {"training": 40, "testing": 40}
    return detector


@pytest.fixture
def weights_file(tmp_path, monkeypatch):
    """A function that writes a state dict to the file that `weights.fetch` will answer with."""
    file = tmp_path / "network.pth"
    monkeypatch.setattr(weights, "fetch", lambda spec, progress=None: file)

    def write(content, **how):
        torch.save(content, file, **how)
        return file

    return write


@pytest.fixture
def no_weights(monkeypatch):
    def refuse(spec, progress=None):
        raise AssertionError("asked for weights")

    monkeypatch.setattr(weights, "fetch", refuse)


@pytest.fixture
def starter(tmp_path, monkeypatch):
    """A function that writes a network as a starter's folder, which `weights.fetch` will answer with."""
    monkeypatch.setattr(weights, "fetch", lambda spec, progress=None: tmp_path)

    def write(name, network, **config):
        save_file(network.state_dict(), tmp_path / "model.safetensors")
        preset = {"shorter_side": SMALL, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        config = {"network": name, "classes": list(CAMVID.classes)} | preset | config
        (tmp_path / "config.json").write_text(json.dumps(config))

    return write


def load(key, precision="fp32", trained=True, shorter_side=None):
    model = from_torchvision.load(catalog.find(key), "cpu", precision, trained, None)
    if shorter_side:
        model.network = dataclasses.replace(model.network, shorter_side=shorter_side)
    return model


def full_size(segments, size_hw):
    maps = np.zeros((len(segments), *size_hw), bool)
    for full, mask, (x1, y1, x2, y2) in zip(maps, segments.masks, segments.boxes_xyxy, strict=True):
        full[y1:y2, x1:x2] = mask
    return maps


@pytest.mark.parametrize(
    ("key", "size_hw"),
    [
        (LRASPP, (33, 47)),
        (LRASPP, (300, 160)),
        ("torchvision/deeplabv3_mobilenet_v3_large", (90, 130)),
        ("torchvision/fcn_resnet50", (90, 130)),
    ],
)
def test_labels_are_those_of_torchvisions_own_pipeline(key, size_hw, weights_file):
    spec = catalog.find(key)
    aux = {} if key == LRASPP else {"aux_loss": True}
    theirs = restless(get_model(spec.architecture, weights=None, weights_backbone=None, **aux))
    weights_file(theirs.state_dict())
    image = picture(*size_hw)
    preset = get_weight(spec.checkpoint).transforms(resize_size=SMALL)
    with torch.inference_mode():
        logits = theirs(preset(Image.fromarray(image.rgb))[None])["out"]
        expected = F.interpolate(logits, size_hw, mode="bilinear").argmax(1)[0].numpy()
    [prediction] = predict(load(key, shorter_side=SMALL), [image])
    assert len(np.unique(expected)) > 5
    assert np.mean(prediction.labels == expected) >= 0.999


@pytest.mark.parametrize("size_hw", [(33, 47), (640, 480), (520, 700), (1, 1)])
def test_preprocessing_is_the_preset_of_the_weights_for_a_file(size_hw, no_weights):
    """A preset given a tensor resizes it in floats: a fifth of the values differ from a file's by one level."""
    model = load(LRASPP, trained=False)
    image = picture(*size_hw)
    expected = get_weight(model.spec.checkpoint).transforms()(Image.fromarray(image.rgb))
    difference = (model.preprocess(model.transfer([image])) - expected).abs()
    assert difference.max() < 2.01 / 255 / 0.224  # two levels
    assert (difference > 1e-5).float().mean() < 0.02


@pytest.mark.parametrize("key", ["torchvision/fcn_resnet50", "torchvision/deeplabv3_mobilenet_v3_large"])
def test_the_auxiliary_head_is_dropped(key, weights_file):
    spec = catalog.find(key)
    state = get_model(spec.architecture, weights=None, weights_backbone=None, aux_loss=True).state_dict()
    assert any(name.startswith("aux_classifier.") for name in state)
    weights_file(state)
    module = load(key).network.module
    assert module.aux_classifier is None
    assert not any("aux" in name for name, _ in module.named_parameters())


def test_folding_leaves_no_batch_normalisation_behind(no_weights):
    for key in ("torchvision/deeplabv3_mobilenet_v3_large", "torchvision/maskrcnn_resnet50_fpn_v2"):
        module = load(key, trained=False).network.module
        assert not [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 300), (7, 3)])
def test_pictures_of_odd_sizes_are_labelled_whole(size_hw, weights_file):
    weights_file(restless(get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)).state_dict())
    [prediction] = predict(load(LRASPP, shorter_side=SMALL), [picture(*size_hw)])
    assert prediction.labels.shape == prediction.confidence.shape == size_hw
    assert prediction.labels.max() < 21


def test_a_batch_gives_what_its_pictures_give_alone(weights_file):
    weights_file(restless(get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)).state_dict())
    model = load(LRASPP, shorter_side=SMALL)
    images = [picture(60, 80, seed) for seed in range(3)]
    for together, image in zip(predict(model, images), images, strict=True):
        assert np.mean(together.labels == predict(model, [image])[0].labels) >= 0.999


@pytest.mark.parametrize("size_hw", [(33, 47), (480, 360), (521, 520), (1, 1), (3, 24), (1080, 1920)])
def test_the_resized_size_is_torchvisions(size_hw):
    expected = TF.resize(torch.zeros(1, *size_hw), [520]).shape[-2:]
    assert resized_hw(size_hw, 520) == tuple(expected)


def test_a_strip_does_not_blow_up():
    assert resized_hw((50_000, 10), 520) == (4160, 1)
    assert resized_hw((100, 1600), 520) == (260, 4160)


def test_bf16_stores_its_weights_so_and_sees_nearly_the_same(weights_file):
    weights_file(restless(get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None)).state_dict())
    image = picture(80, 60)
    model = load(LRASPP, "bf16", shorter_side=SMALL)
    assert {p.dtype for p in model.network.module.parameters()} == {torch.bfloat16}
    [half] = predict(model, [image])
    [full] = predict(load(LRASPP, shorter_side=SMALL), [image])
    assert np.mean(half.labels == full.labels) > 0.8  # the logits are far more restless than trained ones


def test_untrained_networks_need_no_weights(no_weights):
    model = load(LRASPP, trained=False)
    assert not model.trained
    assert model.forward(model.preprocess(model.transfer([picture(64, 64)]))).logits.shape[:2] == (1, 21)


class Trap:
    """Unpickled by a careless loader it would leave a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_a_file_that_holds_code_is_refused(weights_file, tmp_path):
    sprung = tmp_path / "sprung"
    file = weights_file({"weight": Trap(str(sprung))})
    with pytest.raises(WeightsError, match="more than weights") as error:
        load(LRASPP)
    assert str(file) in str(error.value)
    assert not sprung.exists()


def test_a_bare_pickle_is_refused(weights_file, tmp_path):
    sprung = tmp_path / "sprung"
    weights_file({}).write_bytes(pickle.dumps(Trap(str(sprung)), protocol=2))
    with pytest.raises(WeightsError, match="more than weights"):
        load(LRASPP)
    assert not sprung.exists()


def test_a_file_cut_short_is_refused(weights_file):
    file = weights_file({"weight": torch.zeros(1000)})
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(WeightsError, match="damaged.*delete it"):
        load(LRASPP)


@pytest.mark.parametrize("content", [[torch.zeros(1)], {"epoch": 7, "weight": torch.zeros(1)}, 7])
def test_a_file_of_something_else_is_refused(content, weights_file):
    weights_file(content)
    with pytest.raises(WeightsError, match="damaged or holds more than weights.*; delete it"):
        load(LRASPP)


def test_the_weights_of_another_network_are_refused(weights_file):
    weights_file({"weight": torch.zeros(3)})
    with pytest.raises(WeightsError, match="another network"):
        load(LRASPP)


def test_files_in_the_old_format_load(weights_file):
    state = get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None).state_dict()
    weights_file(state, _use_new_zipfile_serialization=False)
    assert load(LRASPP).trained


@pytest.mark.parametrize("key", ["torchvision/maskrcnn_resnet50_fpn", "torchvision/maskrcnn_resnet50_fpn_v2"])
def test_mask_rcnn_finds_what_torchvisions_own_loader_and_pasting_find(key, weights_file, monkeypatch):
    spec = catalog.find(key)
    state = bold(get_model(spec.architecture, weights=None, weights_backbone=None)).state_dict()
    file = weights_file(state)
    monkeypatch.setattr(WeightsEnum, "get_state_dict", lambda self, *args, **kwargs: torch.load(file))
    theirs = get_model(spec.architecture, weights=spec.checkpoint).eval()
    theirs.transform.min_size = (SMALL,)
    model = load(key, shorter_side=SMALL)
    for detector in (theirs, model.network.module):
        detector.rpn._post_nms_top_n = {"training": 40, "testing": 40}
    image = picture(90, 130)
    with torch.inference_mode():
        [expected] = theirs([as_tensor(image)[0] / 255])
    [prediction] = predict(model, [image])
    assert_found(prediction, expected, model.class_ids)


def assert_found(prediction, expected, class_ids):
    """The same instances as torchvision's, but for those below the threshold, without a pixel or without a class.

    Random weights are equally sure of many instances, so their order is left open.
    """
    masks = expected["masks"][:, 0].numpy() >= 0.5
    classes = np.array(class_ids)[expected["labels"].numpy()]
    shown = (expected["scores"].numpy() > 0.5) & (classes != VOID) & masks.any((1, 2))
    segments = prediction.segments
    assert len(segments) == shown.sum() > 3
    np.testing.assert_allclose(segments.scores, expected["scores"].numpy()[shown], atol=0.01)
    np.testing.assert_array_equal(np.sort(segments.class_ids), np.sort(classes[shown]))
    ours = full_size(segments, masks.shape[1:])
    for class_id in set(segments.class_ids):
        covered = ours[segments.class_ids == class_id].sum(0)
        assert np.mean(covered == masks[shown & (classes == class_id)].sum(0)) >= 0.999


def test_coco_ids_with_gaps_become_the_80_classes(no_weights):
    model = load("torchvision/maskrcnn_resnet50_fpn", trained=False)
    assert model.class_ids[0] == VOID
    assert model.class_ids[1] == COCO_THINGS.classes.index("person")
    assert model.class_ids[12] == VOID  # a gap
    assert model.class_ids[90] == COCO_THINGS.classes.index("toothbrush")
    assert sorted(i for i in model.class_ids if i != VOID) == list(range(80))


@pytest.fixture
def street_detector(starter):
    network = bold(small_torchvision.maskrcnn_small(11))
    starter("maskrcnn_small", network)
    network.transform.min_size = (SMALL,)
    return network


def test_a_mask_rcnn_starter_finds_what_its_network_finds(street_detector):
    model = load("starter/maskrcnn")
    assert model.class_ids == (VOID, *range(11))
    model.network.module.rpn._post_nms_top_n = street_detector.rpn._post_nms_top_n
    image = picture(90, 130)
    with torch.inference_mode():
        [expected] = street_detector([as_tensor(image)[0] / 255])
    [prediction] = predict(model, [image])
    assert_found(prediction, expected, model.class_ids)
    assert (prediction.labels == VOID).any() == (~full_size(prediction.segments, (90, 130)).any(0)).any()


def test_batches_of_mask_rcnn_give_what_their_pictures_give_alone(street_detector):
    model = load("starter/maskrcnn")
    images = [picture(60, 80, seed) for seed in range(2)]
    for together, image in zip(predict(model, images), images, strict=True):
        [alone] = predict(model, [image])
        assert len(together.segments) == len(alone.segments) > 0
        assert np.mean(together.labels == alone.labels) >= 0.999


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 400), (5, 2)])
def test_mask_rcnn_takes_pictures_of_odd_sizes(street_detector, size_hw):
    [prediction] = predict(load("starter/maskrcnn"), [picture(*size_hw)])
    assert prediction.labels.shape == size_hw


def test_a_narrow_strip_does_not_spoil_the_pictures_after_it(street_detector):
    image = picture(90, 130)
    fresh, used = load("starter/maskrcnn"), load("starter/maskrcnn")
    predict(used, [picture(4, 400)])
    np.testing.assert_array_equal(predict(used, [image])[0].labels, predict(fresh, [image])[0].labels)


def test_mask_rcnn_in_bf16_places_its_boxes_as_in_fp32(street_detector):
    image = picture(400, 600)
    full, half = load("starter/maskrcnn"), load("starter/maskrcnn", "bf16")
    proposals = []
    for model in (full, half):
        model.network.module.rpn.register_forward_hook(lambda m, i, out: proposals.append(out[0][0]))
        predict(model, [image])
    nearest = (proposals[1][:, None] - proposals[0]).abs().amax(2).amin(1)
    assert nearest.median() < 0.5


def test_a_starter_obeys_its_own_config(starter):
    network = restless(small_torchvision.fcn_small(11))
    starter("fcn_small", network, shorter_side=40, mean=[0.5, 0.5, 0.5], std=[0.25, 0.25, 0.25])
    model = load("starter/fcn")
    inputs = model.preprocess(model.transfer([picture(80, 120)]))
    assert inputs.shape == (1, 3, 40, 60)
    assert inputs.min() >= -2
    assert inputs.max() <= 2
    with torch.inference_mode():
        logits = F.interpolate(model.forward(inputs).logits, (40, 60), mode="bilinear")
        torch.testing.assert_close(logits, network(inputs)["out"], rtol=1e-3, atol=1e-3)


def test_the_first_mask_rcnn_normalises_without_epsilon_as_it_was_trained():
    epsilons = {}
    for key in ("torchvision/maskrcnn_resnet50_fpn", "torchvision/maskrcnn_resnet50_fpn_v2"):
        module = torchvision_networks.build(catalog.find(key), trained=False, progress=None).module
        epsilons[key] = {m.eps for m in module.modules() if isinstance(m, nn.BatchNorm2d)}
    assert list(epsilons.values()) == [{0.0}, {1e-5}]


@pytest.mark.parametrize("name", ["fcn", "deeplabv3", "maskrcnn"])
def test_the_bundled_starters_fit_their_rows(name):
    spec = catalog.find(f"starter/{name}")
    if weights.state(spec) != "bundled":
        pytest.skip(f"{spec.key} is not trained yet")
    folder = weights.fetch(spec)
    config = json.loads((folder / "config.json").read_text())
    assert config["network"] == spec.architecture
    assert tuple(config["classes"]) == spec.space.classes
    [prediction] = predict(load(spec.key), [picture(90, 120)])
    assert prediction.labels.shape == (90, 120)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
class TestOnAGpu:
    def test_labels_are_those_of_the_cpu(self, precision, weights_file):
        network = restless(get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None))
        weights_file(network.state_dict())
        image = picture(400, 600)
        model = from_torchvision.load(catalog.find(LRASPP), "cuda:0", precision, True, None)
        same = predict(model, [image])[0].labels == predict(load(LRASPP), [image])[0].labels
        assert same.mean() > (0.99 if precision == "fp32" else 0.8)

    def test_mask_rcnn_finds_instances(self, precision, street_detector):
        model = from_torchvision.load(catalog.find("starter/maskrcnn"), "cuda:0", precision, True, None)
        [prediction] = predict(model, [picture(400, 600)])
        assert len(prediction.segments) > 0
