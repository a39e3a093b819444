import numpy as np
import pytest

from segdemo import models
from segdemo.datasets.street_scenes import street_scene
from segdemo.errors import ModelError
from segdemo.images import InputImage
from segdemo.models.trace import enlarged, trace

SCENE = InputImage(street_scene(37, (120, 160)).rgb, "scene", "scene")


@pytest.mark.parametrize("key", ["starter/segformer", "starter/deeplabv3"])
def test_the_stages_arrays_lead_to_the_models_own_answer(key):
    model = models.load(key, "cpu")
    found = trace(model, SCENE)
    [prediction] = models.predict(model, [SCENE])
    np.testing.assert_array_equal(found.labels, prediction.labels)
    again = enlarged(found.logits, SCENE.size_hw).argmax(0)
    assert np.mean(again == found.labels) > 0.99  # torchvision's way goes over the input's size
    assert found.inputs.shape[0] == 3
    assert found.inputs.dtype == found.logits.dtype == np.float32
    coarse = found.logits.argmax(0)
    assert set(np.unique(found.early)) <= set(np.unique(coarse))
    height, width = coarse.shape
    assert found.early[0, 0] == coarse[0, 0]
    assert found.early[-1, -1] == coarse[height - 1, width - 1]


def test_a_model_without_logits_for_every_pixel_is_refused():
    with pytest.raises(ModelError, match="no score of every class"):
        trace(models.load("starter/maskrcnn", "cpu"), SCENE)
