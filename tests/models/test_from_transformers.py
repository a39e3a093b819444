import dataclasses
import json
import pickle

import numpy as np
import pytest
import torch
import transformers
from transformers import (
    Mask2FormerImageProcessor,
    ResNetConfig,
    ResNetForImageClassification,
    SegformerForImageClassification,
    SegformerImageProcessor,
)

from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ModelError, WeightsError
from segdemo.images import InputImage
from segdemo.labels import ADE20K, CAMVID
from segdemo.models import catalog, from_transformers, predict, run_stages, weights
from segdemo.models.architectures import published_configs
from segdemo.models.catalog import CATALOG
from tests.models.tiny_networks import picture, square, tiny_mask2former, tiny_segformer

SEGFORMER = "nvidia/segformer-b0-finetuned-ade-512-512"
MASK2FORMER = {
    "semantic": "facebook/mask2former-swin-tiny-ade-semantic",
    "instance": "facebook/mask2former-swin-tiny-coco-instance",
    "panoptic": "facebook/mask2former-swin-tiny-coco-panoptic",
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A function that writes a checkpoint to the folder with which `weights.fetch` will answer."""
    monkeypatch.setattr(weights, "fetch", lambda spec, progress=None: tmp_path)

    def write(network, processor, **how):
        network.save_pretrained(tmp_path, **how)
        processor.save_pretrained(tmp_path)
        return tmp_path

    return write


def load(key, precision="fp32", trained=True, space=None):
    spec = catalog.find(key)
    spec = dataclasses.replace(spec, space=space or spec.space)
    return from_transformers.load(spec, "cpu", precision, trained, None)


class TestSegformer:
    @pytest.mark.parametrize("size_hw", [(96, 128), (131, 77)])
    def test_labels_are_those_of_transformers(self, folder, size_hw):
        network, processor = tiny_segformer(ADE20K), SegformerImageProcessor(**square(128))
        folder(network, processor)
        images = [picture(*size_hw, seed) for seed in (1, 2)]
        found = predict(load(SEGFORMER), images)
        with torch.inference_mode():
            outputs = network(**processor(images=[image.rgb.copy() for image in images], return_tensors="pt"))
        expected = processor.post_process_semantic_segmentation(outputs, target_sizes=[size_hw] * 2)
        for one, labels in zip(found, expected, strict=True):
            assert (one.labels == labels.numpy()).mean() > 0.999
            assert len(np.unique(one.labels)) > 5
            assert one.segments is None

    def test_a_batch_gives_what_its_pictures_give_alone(self, folder):
        folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        model = load(SEGFORMER)
        images = [picture(61, 83, seed) for seed in (1, 2, 3)]
        for together, image in zip(predict(model, images), images, strict=True):
            [alone] = predict(model, [image])
            assert (together.labels == alone.labels).mean() > 0.999

    @pytest.mark.parametrize("size_hw", [(1, 1), (5, 3000), (400, 7)])
    def test_pictures_of_any_shape_are_answered_at_their_size(self, folder, size_hw):
        folder(tiny_segformer(ADE20K), SegformerImageProcessor(size={"shortest_edge": 64}))
        [found] = predict(load(SEGFORMER), [picture(*size_hw)])
        assert found.labels.shape == size_hw
        assert np.isfinite(found.confidence).all()

    def test_bf16_is_close_to_fp32(self, folder):
        folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(128)))
        [rough], [exact] = (predict(load(SEGFORMER, p), [picture(96, 128)]) for p in ("bf16", "fp32"))
        assert (rough.labels == exact.labels).mean() > 0.9

    def test_an_output_that_is_no_number_is_an_error(self, folder):
        network = tiny_segformer(ADE20K)
        network.decode_head.classifier.bias.data[3] = torch.inf
        folder(network, SegformerImageProcessor(**square(64)))
        with pytest.raises(ModelError, match="another precision"):
            predict(load(SEGFORMER), [picture(20, 30)])


class TestMask2Former:
    """Against transformers where its rules are the authors', at an input of 384×384; see also test_mask_queries."""

    @pytest.mark.parametrize("backbone", ["swin", "resnet"])
    def test_semantic_labels_are_those_of_transformers(self, folder, backbone):
        network, processor = tiny_mask2former(ADE20K, backbone), Mask2FormerImageProcessor(**square(384))
        folder(network, processor)
        image = picture(500, 333)
        [found] = predict(load(MASK2FORMER["semantic"]), [image])
        outputs = output(network, processor, image)
        [expected] = processor.post_process_semantic_segmentation(outputs, target_sizes=[image.size_hw])
        assert (found.labels == expected.numpy()).mean() > 0.999
        assert len(np.unique(found.labels)) > 2

    def test_instances_are_those_of_transformers_where_nothing_is_enlarged(self, folder):
        """Elsewhere it enlarges binary masks without interpolation."""
        spec = catalog.find(MASK2FORMER["instance"])
        network, processor = tiny_mask2former(spec.space), Mask2FormerImageProcessor(**square(384))
        folder(network, processor)
        image = picture(384, 384)
        [found] = predict(load(spec.key), [image])
        [theirs] = processor.post_process_instance_segmentation(
            output(network, processor, image), threshold=0.5, target_sizes=[image.size_hw], return_binary_maps=True
        )
        infos = theirs["segments_info"]
        assert len(found.segments) == len(infos) > 1
        order = np.argsort([-info["score"] for info in infos], kind="stable")
        assert found.segments.class_ids.tolist() == [infos[i]["label_id"] for i in order]
        for i, mask, (x1, y1, x2, y2) in zip(order, found.segments.masks, found.segments.boxes_xyxy, strict=True):
            expected = theirs["segmentation"][i].numpy() > 0
            assert (expected[y1:y2, x1:x2] == mask).mean() > 0.999
            assert expected.sum() == pytest.approx(mask.sum(), rel=0.001)

    @pytest.mark.parametrize("task", MASK2FORMER)
    def test_odd_sizes_and_batches_are_answered_at_the_pictures_size(self, folder, task):
        spec = catalog.find(MASK2FORMER[task])
        size = {"size": {"shortest_edge": 64, "longest_edge": 100}, "size_divisor": 32}
        folder(tiny_mask2former(spec.space, "resnet"), Mask2FormerImageProcessor(**size))
        model = load(spec.key)
        images = [picture(61, 83, seed) for seed in (1, 2)]
        for together, image in zip(predict(model, images), images, strict=True):
            [alone] = predict(model, [image])
            assert together.labels.shape == (61, 83)
            assert (together.labels == alone.labels).mean() > 0.999
            assert (together.segments is None) == (task == "semantic")
            assert np.isfinite(together.confidence).all()

    def test_bf16_is_close_to_fp32(self):
        """All in bf16, transformers' deformable attention samples beside the picture on a CPU and gives no numbers."""
        scenes = [InputImage(street_scene(seed).rgb, digest=str(seed), name="scene") for seed in (1, 2)]
        rough, exact = (predict(load("starter/mask2former", p), scenes) for p in ("bf16", "fp32"))
        for a, b in zip(rough, exact, strict=True):
            assert (a.labels == b.labels).mean() > 0.97


def output(network, processor, image):
    with torch.inference_mode():
        return network(processor(images=[image.rgb.copy()], return_tensors="pt")["pixel_values"])


class TestPreprocessing:
    SIZES = [
        (SegformerImageProcessor, square(96)),
        (SegformerImageProcessor, {"size": {"height": 64, "width": 160}, "resample": 3}),
        (SegformerImageProcessor, {"size": {"shortest_edge": 70}}),
        (SegformerImageProcessor, {"do_resize": False, "do_normalize": False, **square(96)}),
        (Mask2FormerImageProcessor, {"size": {"shortest_edge": 80, "longest_edge": 133}, "size_divisor": 32}),
        (Mask2FormerImageProcessor, {"size": {"shortest_edge": 80, "longest_edge": 999}, "size_divisor": 0}),
        (Mask2FormerImageProcessor, {**square(100), "size_divisor": 32, "image_mean": [0.1, 0.2, 0.3]}),
    ]

    @pytest.mark.parametrize("size_hw", [(123, 187), (300, 200), (90, 91), (64, 160)])
    @pytest.mark.parametrize(("kind", "settings"), SIZES)
    def test_the_networks_input_is_that_of_transformers(self, folder, kind, settings, size_hw):
        segformer = kind is SegformerImageProcessor
        processor = kind(**settings)
        folder(tiny_segformer(ADE20K) if segformer else tiny_mask2former(ADE20K, "resnet"), processor)
        model = load(SEGFORMER if segformer else MASK2FORMER["semantic"])
        images = [picture(*size_hw, seed) for seed in (1, 2)]
        before = images[0].rgb.copy()
        found = model.preprocess(model.transfer(images))
        expected = processor(images=[image.rgb.copy() for image in images], return_tensors="pt")["pixel_values"]
        assert found.shape == expected.shape
        # The resized pixel is rounded to uint8 in both; another order of additions may round one in ten thousand the
        # other way, which is 1 / 255 / std.
        assert (found - expected).abs().max() < 0.02
        assert ((found - expected).abs() > 1e-4).float().mean() < 1e-3
        assert np.array_equal(images[0].rgb, before)

    def test_the_old_form_of_the_settings_is_read(self, folder):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        old = {"feature_extractor_type": "SegformerFeatureExtractor", "size": 96, "reduce_labels": True, "resample": 2,
               "do_resize": True, "do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.2] * 3}  # fmt: skip
        (place / "preprocessor_config.json").write_text(json.dumps(old))
        model = load(SEGFORMER)
        assert model.preprocess(model.transfer([picture(50, 60)])).shape == (1, 3, 96, 96)

    def test_a_crop_is_refused(self, folder):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        file = place / "preprocessor_config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | {"do_center_crop": True}))
        with pytest.raises(ModelError, match="another checkpoint"):
            load(SEGFORMER)


class TestLoading:
    def test_half_precision_files_are_run_in_full(self, folder):
        folder(tiny_segformer(CAMVID).half(), SegformerImageProcessor(**square(64)))
        model = load("starter/segformer")
        assert {parameter.dtype for parameter in model.network.parameters()} == {torch.float32}
        assert not any(parameter.requires_grad for parameter in model.network.parameters())

    def test_a_file_of_the_old_kind_is_read_when_there_is_no_other(self, folder):
        network = tiny_segformer(ADE20K)
        place = folder(network, SegformerImageProcessor(**square(64)))
        (place / "model.safetensors").unlink()
        torch.save(network.state_dict(), place / "pytorch_model.bin")
        loaded = load(SEGFORMER).network.parameters()
        assert all(torch.equal(*pair) for pair in zip(loaded, network.parameters(), strict=True))

    def test_a_file_that_holds_code_is_refused_and_the_code_not_run(self, folder, tmp_path):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        (place / "model.safetensors").unlink()
        mark = tmp_path / "ran"
        (place / "pytorch_model.bin").write_bytes(pickle.dumps(Harmful(str(mark))))
        with pytest.raises(WeightsError, match="cannot be read"):
            load(SEGFORMER)
        assert not mark.exists()

    @pytest.mark.parametrize("missing", ["config.json", "preprocessor_config.json", "model.safetensors"])
    def test_a_missing_file_is_named(self, folder, missing):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        (place / missing).unlink()
        with pytest.raises(WeightsError, match="SegFormer-B0 ADE20K cannot be read") as error:
            load(SEGFORMER)
        assert "\n" not in str(error.value)

    @pytest.mark.parametrize("keep", [0, 5, 300, -100])
    def test_damaged_weights_are_an_error(self, folder, keep):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        file = place / "model.safetensors"
        file.write_bytes(file.read_bytes()[:keep])
        with pytest.raises(WeightsError, match="cannot be read"):
            load(SEGFORMER)

    @pytest.mark.parametrize("rule", [{"threshold": 2.0}, {"other": 0.5}, [0.5], "0.5"])
    def test_a_rule_for_segments_that_is_none_is_an_error(self, folder, rule):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        config = json.loads((place / "config.json").read_text())
        (place / "config.json").write_text(json.dumps(config | {"panoptic_rule": rule}))
        with pytest.raises(WeightsError, match="cannot be read"):
            load(SEGFORMER)

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"model_type": "nonsense"}'])
    def test_a_damaged_configuration_is_an_error(self, folder, text):
        place = folder(tiny_segformer(ADE20K), SegformerImageProcessor(**square(64)))
        (place / "config.json").write_text(text)
        with pytest.raises(ModelError):
            load(SEGFORMER)

    def test_another_number_of_classes_is_an_error(self, folder):
        folder(tiny_segformer(CAMVID), SegformerImageProcessor(**square(64)))
        with pytest.raises(ModelError, match="knows 11 classes, but .* has 150"):
            load(SEGFORMER)

    def test_a_starter_with_other_class_names_is_an_error(self, folder):
        space = dataclasses.replace(CAMVID, classes=("heaven", *CAMVID.classes[1:]))
        folder(tiny_segformer(space), SegformerImageProcessor(**square(64)))
        with pytest.raises(ModelError, match="'heaven' that CamVid-11 calls 'sky'"):
            load("starter/segformer")

    def test_another_network_is_an_error(self, folder):
        sizes = {"embedding_size": 8, "hidden_sizes": [8, 8], "depths": [1, 1], "layer_type": "basic"}
        folder(ResNetForImageClassification(ResNetConfig(**sizes)), SegformerImageProcessor(**square(64)))
        with pytest.raises(ModelError, match="'resnet' network, not the SegFormer"):
            load(SEGFORMER)

    def test_a_classifier_of_the_same_family_is_an_error(self, folder):
        folder(tiny_segformer(ADE20K, SegformerForImageClassification), SegformerImageProcessor(**square(64)))
        with pytest.raises(ModelError, match="decode_head.* is missing"):
            load(SEGFORMER)

    def test_an_untrained_network_needs_no_files_and_can_be_timed_but_not_drawn(self, monkeypatch):
        def refuse(spec, progress=None):
            raise AssertionError("asked for weights")

        monkeypatch.setattr(weights, "fetch", refuse)
        model = load(SEGFORMER, trained=False)
        [answer], times = run_stages(model, [picture(30, 40)])
        assert answer.labels.shape == (30, 40)
        assert times.forward_s > 0
        with pytest.raises(ModelError, match="untrained"):
            predict(model, [picture(30, 40)])

    @pytest.mark.parametrize("spec", [s for s in CATALOG if s.source == "huggingface"], ids=lambda s: s.key)
    def test_the_published_shapes_have_the_catalogues_number_of_parameters(self, spec):
        config, _ = published_configs.find(spec)
        with torch.device("meta"):
            network = getattr(transformers, spec.architecture)(config)
        assert 4 * sum(parameter.numel() for parameter in network.parameters()) == spec.download_bytes


class Harmful:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")
