import pytest
import torch

from segdemo import models
from segdemo.errors import ModelError
from tests.models.tiny_networks import picture


@pytest.mark.parametrize("key", ["starter/fcn", "starter/segformer", "starter/mask2former"])
def test_an_output_that_overflows_is_no_answer(key):
    model = models.load(key, "cpu")
    for weights in model.module.parameters():
        weights.mul_(torch.inf)
    with pytest.raises(ModelError, match=f"{key} has no finite output in fp32; choose another precision"):
        models.predict(model, [picture(64, 96)])


@pytest.mark.parametrize("key", ["starter/fcn", "starter/segformer"])
def test_a_network_is_frozen_and_channels_last_on_a_cpu(key):
    module = models.load(key, "cpu").module
    assert not module.training
    assert not any(weights.requires_grad for weights in module.parameters())
    kernels = [w for w in module.parameters() if w.ndim == 4 and min(w.shape[:2]) > 1 and w.shape[2] > 1]
    assert kernels
    assert all(w.is_contiguous(memory_format=torch.channels_last) for w in kernels)
