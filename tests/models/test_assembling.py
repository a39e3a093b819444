import dataclasses

import numpy as np
import pytest
import torch

from segdemo import devices, models
from segdemo.bit_masks import BitMasks
from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ModelError
from segdemo.extras import Extras
from segdemo.images import InputImage
from segdemo.models import assembling, catalog, dense_crf, from_torchvision, parts, resizing, upsampling
from segdemo.models.assembling import VIEWS, Looks, View
from segdemo.models.stages import Stages
from segdemo.models.upsampling import labels_from_probabilities, probabilities_from_logits

SEMANTIC = ("starter/fcn", "starter/segformer")


def image(rgb, name="picture"):
    return InputImage(np.ascontiguousarray(rgb), digest=name, name=name)


class Colours:
    """A network that looks at single pixels: three classes, whose logits are the colours."""

    spec = catalog.find("starter/fcn")
    space, device, precision, trained = spec.space, "cpu", "fp32", True

    def __init__(self, tile_by_tile=True):
        self.seen, self.tile_by_tile = [], tile_by_tile

    def longest_look(self, tile):
        return tile if self.tile_by_tile else None

    def transfer(self, images):
        return torch.from_numpy(np.stack([one.rgb for one in images])).permute(0, 3, 1, 2)

    def preprocess(self, pictures, scale=1, tile=None):
        self.seen.append((tuple(pictures.shape[2:]), scale, tile))
        return pictures.float() / 50

    def forward(self, inputs):
        return inputs

    def postprocess(self, outputs, size_hw):
        maps = upsampling.labels_from_logits(outputs, size_hw)
        return [models.Answer(*both, None) for both in zip(*(one.numpy() for one in maps), strict=True)]

    def class_probabilities(self, outputs, size_hw):
        return probabilities_from_logits(outputs, size_hw)


@pytest.fixture(scope="module")
def loaded():
    return {key: models.load(key, "cpu") for key in (*SEMANTIC, "starter/mask2former", "starter/maskrcnn")}


@pytest.fixture(scope="module")
def scene():
    return image(street_scene(800_000, (480, 640)).rgb, "scene")


@pytest.mark.parametrize("tile_by_tile", [True, False])
@pytest.mark.parametrize("extras", [Extras(64), Extras(96, "flip"), Extras(tta="scales"), Extras(tta="flip")])
def test_a_network_of_single_pixels_says_the_same_with_any_tiles_and_views(extras, tile_by_tile):
    pictures = [image(np.random.default_rng(i).integers(0, 256, (150, 211, 3), np.uint8), str(i)) for i in range(2)]
    plain, found = (models.predict(Colours(tile_by_tile), pictures, extras=one) for one in (Extras(), extras))
    for expected, one in zip(plain, found, strict=True):
        np.testing.assert_array_equal(one.labels, expected.labels)
        np.testing.assert_allclose(one.confidence, expected.confidence, atol=1e-3)
        assert one.extras == extras
        assert expected.extras == Extras()


def test_tiles_are_looked_at_one_by_one_and_views_at_their_scales():
    model = Colours()
    models.predict(model, [image(np.zeros((100, 64, 3), np.uint8))], extras=Extras(64, "scales"))
    assert model.seen == 2 * [((64, 64), 0.75, None), ((64, 64), 1, None), ((64, 64), 1.25, None)]


def test_a_network_that_can_sees_the_whole_picture_at_its_tiles_scale():
    for size_hw in ((100, 128), (40, 112)):
        model = Colours(tile_by_tile=False)
        models.predict(model, [image(np.zeros((*size_hw, 3), np.uint8))], extras=Extras(64, "flip"))
        assert model.seen == 2 * [(size_hw, 1, min(64, *size_hw))]


def test_the_times_are_sums_over_tiles(monkeypatch):
    slow = iter(range(1, 1000))
    monkeypatch.setattr("segdemo.models.stages.time.perf_counter", lambda: float(next(slow)))
    picture = image(np.zeros((100, 64, 3), np.uint8))
    _, whole = models.run_stages(Colours(), [picture])
    _, tiled = models.run_stages(Colours(), [picture], extras=Extras(64))
    assert (whole.transfer_s, whole.preprocess_s, whole.forward_s) == (1, 1, 1)
    assert (tiled.transfer_s, tiled.preprocess_s, tiled.forward_s) == (2, 2, 2)
    assert tiled.postprocess_s > whole.postprocess_s


@pytest.mark.parametrize("key", SEMANTIC)
def test_tiles_say_what_the_whole_says_at_the_same_scale(key, loaded, scene):
    """To the last pixel where it is seen at once, and nearly where it is cut."""

    def labels(picture, looks):
        with devices.inference("cpu"):
            bands = assembling.class_probabilities(Stages(loaded[key]), [picture], looks, [View()])
            return labels_from_probabilities(bands, picture.size_hw)[0][0].numpy()

    [tiled] = models.predict(loaded[key], [scene], extras=Extras(320))
    np.testing.assert_array_equal(tiled.labels, labels(scene, Looks(tile=320)))
    # A part of 320 is 256 pixels of SegFormer's input, 240 of FCN's, and both begin where a cell of the grid does.
    picture = image(scene.rgb[40:, :560]) if key == "starter/segformer" else scene
    assert np.mean(labels(picture, Looks(320, picture.size_hw[0])) == labels(picture, Looks())) > 0.95


@pytest.mark.parametrize("key", [*SEMANTIC, "mask2former for classes"])
def test_what_is_blended_is_what_postprocess_says_where_there_is_one_view(key, loaded, scene):
    model = loaded.get(key) or for_classes(loaded["starter/mask2former"])
    with devices.inference("cpu"):
        outputs = Stages(model).outputs([scene])
        [expected] = model.postprocess(outputs, scene.size_hw)
        labels, confidence = labels_from_probabilities(model.class_probabilities(outputs, scene.size_hw), scene.size_hw)
    np.testing.assert_array_equal(labels[0].numpy(), expected.labels)
    np.testing.assert_allclose(confidence[0].float(), expected.confidence.astype(np.float32), atol=1e-3)


def for_classes(model):
    """The panoptic network, read as a semantic one."""
    return dataclasses.replace(model, spec=dataclasses.replace(model.spec, task="semantic"))


@pytest.mark.parametrize("key", [*SEMANTIC, "mask2former for classes"])
def test_a_picture_that_is_its_own_mirror_image_has_such_labels_after_flips(key, loaded, scene):
    model = loaded.get(key) or for_classes(loaded["starter/mask2former"])
    half = scene.rgb[::4, :240:2]
    symmetric = image(np.concatenate([half, half[:, ::-1]], axis=1))
    [found] = models.predict(model, [symmetric], extras=Extras(tta="flip"))
    np.testing.assert_array_equal(found.labels, found.labels[:, ::-1])
    np.testing.assert_array_equal(found.confidence, found.confidence[:, ::-1])
    assert len(np.unique(found.labels)) > 2


def test_scaled_views_reach_the_network_at_their_scale(loaded):
    for key, sizes in {"starter/fcn": (360, 480, 600), "starter/segformer": (384, 480, 608)}.items():
        pictures = loaded[key].transfer([image(np.zeros((480, 480, 3), np.uint8))])
        views = [loaded[key].preprocess(pictures, view.scale) for view in VIEWS["scales"]]
        assert [tuple(view.shape[2:]) for view in views] == [(size, size) for size in sizes]


def test_tiles_reach_the_network_as_large_as_pictures_usually_do(loaded):
    for key, sizes in {"starter/fcn": (480, 960), "starter/segformer": (480, 960)}.items():
        pictures = loaded[key].transfer([image(np.zeros((160, 320, 3), np.uint8))])
        assert tuple(loaded[key].preprocess(pictures, tile=160).shape[2:]) == sizes


def test_no_probabilities_of_a_whole_picture_are_held(monkeypatch):
    """Bands keep to their budget, and of two rows of tiles only coarse outputs are held."""
    monkeypatch.setattr(resizing, "_BAND_BYTES_CPU", 4 * 3 * 64 * 2)  # two rows of a tile
    picture = image(np.zeros((600, 200, 3), np.uint8))
    with devices.inference("cpu"):
        stages, asked = Stages(Colours()), []
        for band in assembling.class_probabilities(stages, [picture], Looks(64), VIEWS["flip"]):
            asked.append(len(stages.model.seen))
            assert band.shape[1:] == (3, band.shape[2], 200)
            assert band.shape[2] <= 2
    per_row = asked[0]
    assert asked[-1] > 5 * per_row
    assert asked[len(asked) // 2] <= asked[-1] // 2 + 2 * per_row  # made on the way, not ahead


@pytest.mark.parametrize("key", ["starter/mask2former", "starter/maskrcnn"])
def test_tiles_of_models_with_segments_are_stitched(key, loaded, scene):
    strip = image(scene.rgb[96:])
    [found] = models.predict(loaded[key], [strip], extras=Extras(384))
    assert found.extras == Extras(384)
    for i, (x1, y1, x2, y2) in enumerate(found.segments.boxes_xyxy):
        assert (found.labels[y1:y2, x1:x2][found.segments.masks[i]] != 255).all()
    assert len(found.segments) > 1


def test_an_instance_model_sees_as_many_tiles_at_once_as_it_may(loaded, scene, monkeypatch):
    """One look at the whole finds what looks at its parts find, apart from what is cut."""
    model = loaded["starter/maskrcnn"]
    assert Looks.of(model, 160, scene.size_hw) == Looks(640, 160)
    limits = model.module.roi_heads.detections_per_img, dict(model.module.rpn._post_nms_top_n)
    [whole] = models.predict(model, [scene], extras=Extras(256))
    assert limits == (model.module.roi_heads.detections_per_img, model.module.rpn._post_nms_top_n)
    monkeypatch.setattr(parts, "MOST_TILES", 1.5)
    assert Looks.of(model, 256, scene.size_hw) == Looks(366, 256)
    [squares] = models.predict(model, [scene], extras=Extras(256))
    assert 0.97 < np.mean(squares.labels == whole.labels) < 1


def test_an_instance_model_sees_no_more_at_once_than_there_is_memory_for(loaded, monkeypatch):
    model = loaded["starter/maskrcnn"]
    held = model._footprint.held
    monkeypatch.setattr(parts, "MOST_HELD", int(held * (2 * model.network.shorter_side) ** 2) + 1)
    assert model.longest_look(200) == 400
    monkeypatch.setattr(parts, "MOST_HELD", 1)
    assert Looks.of(model, 200, (480, 640)) == Looks(side=200)


def test_a_model_with_queries_sees_as_many_tiles_at_once_as_there_is_memory_for(loaded, scene, monkeypatch):
    model = loaded["starter/mask2former"]
    assert Looks.of(model, 320, scene.size_hw) == Looks(640, 320)
    [found] = models.predict(model, [scene], extras=Extras(320))
    with devices.inference("cpu"):
        [whole] = model.postprocess(Stages(model).outputs([scene], tile=320), scene.size_hw)
    assert (found.labels == whole.labels).all()
    assert len(found.segments) == len(whole.segments)
    monkeypatch.setattr(parts, "MOST_HELD", 1)
    assert Looks.of(model, 320, scene.size_hw) == Looks(side=320)


def test_segments_of_many_looks_are_held_as_bits(loaded, scene):
    """A stuff segment's mask is as large as the picture: as bools they would take more than the pictures do."""
    [found] = models.predict(loaded["starter/mask2former"], [scene], extras=Extras(128))
    assert isinstance(found.segments.masks, BitMasks)
    for i, (x1, y1, x2, y2) in enumerate(found.segments.boxes_xyxy):
        mask = found.segments.masks[i]
        assert mask.any(0)[[0, -1]].all()
        assert mask.any(1)[[0, -1]].all()
        assert (found.labels[y1:y2, x1:x2][mask] == found.segments.class_ids[i]).mean() > 0.5


def test_as_many_things_may_be_found_as_in_all_tiles_together(loaded):
    model = loaded["starter/maskrcnn"]
    pictures = model.transfer([image(np.zeros((100, 400, 3), np.uint8))])
    assert model.preprocess(pictures).tiles == 1
    assert model.preprocess(pictures, tile=50).tiles == 16
    rpn, roi_heads = from_torchvision._for_tiles(model.module, 16)
    assert roi_heads.detections_per_img == 16 * model.module.roi_heads.detections_per_img
    assert rpn.post_nms_top_n() == 16 * model.module.rpn.post_nms_top_n()


def test_views_and_the_crf_of_a_model_with_segments_are_refused(loaded, scene):
    for extras in (Extras(tta="flip"), Extras(refine="crf")):
        with pytest.raises(ModelError, match="starter/maskrcnn gives instance segments"):
            models.predict(loaded["starter/maskrcnn"], [scene], extras=extras)


def test_the_crf_refines_what_the_tiles_say_together(monkeypatch):
    rgb = 3 * np.random.default_rng(0).integers(0, 84, (70, 100, 3), np.uint8) + np.arange(3, dtype=np.uint8)  # no ties
    given = []

    def refined(probabilities, picture):
        given.append((probabilities.clone(), picture))
        return probabilities.flip(0)

    monkeypatch.setattr(dense_crf, "refined", refined)
    plain, found = (
        models.predict(Colours(), [image(rgb)], extras=extras)[0] for extras in (Extras(), Extras(64, refine="crf"))
    )
    [(probabilities, picture)] = given
    np.testing.assert_array_equal(picture.permute(1, 2, 0), rgb)
    assert torch.allclose(probabilities.sum(0), torch.ones(70, 100))
    np.testing.assert_array_equal(found.labels, 2 - plain.labels)


def test_the_crf_itself_changes_little_where_the_network_is_sure(loaded, scene):
    small = image(scene.rgb[::4, ::4])
    plain, found = (
        models.predict(loaded["starter/fcn"], [small], extras=extras)[0] for extras in (Extras(), Extras(refine="crf"))
    )
    assert 0.7 < np.mean(plain.labels == found.labels) < 1


def test_a_crf_that_would_not_fit_into_memory_is_refused_before(monkeypatch):
    monkeypatch.setattr(assembling, "MOST_REFINED", 3 * 1000)
    with pytest.raises(ModelError, match=r"0\.0 megapixels at most"):
        models.predict(Colours(), [image(np.zeros((40, 40, 3), np.uint8))], extras=Extras(refine="crf"))
