"""transformers' networks of all kinds in tiny sizes, with random weights that see something, and pictures for them."""

import numpy as np
import torch
import torch.nn.functional as F
import transformers as t
from torch import nn
from transformers import (
    Mask2FormerConfig,
    Mask2FormerForUniversalSegmentation,
    ResNetConfig,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    SegformerImageProcessor,
    SwinConfig,
)

from segdemo.images import InputImage

STAGES = ["stage1", "stage2", "stage3", "stage4"]


def picture(height, width, seed=0):
    """Smooth blobs of colour with a little noise."""
    random = np.random.default_rng(seed)
    coarse = random.uniform(-40, 295, (height // 12 + 2, width // 12 + 2, 3))
    smooth = F.interpolate(torch.from_numpy(coarse).permute(2, 0, 1)[None], (height, width), mode="bicubic")
    noisy = smooth[0].permute(1, 2, 0).numpy() + random.normal(0, 6, (height, width, 3))
    rgb = noisy.clip(0, 255).astype(np.uint8)
    rgb.setflags(write=False)
    return InputImage(rgb, digest=str(seed), name=f"{seed}.png")


def classes(space):
    return {"id2label": dict(enumerate(space.classes))}


def tiny_segformer(space, kind=SegformerForSemanticSegmentation):
    sizes = {"depths": [1] * 4, "hidden_sizes": [8, 8, 16, 16], "num_attention_heads": [1, 1, 2, 2]}
    network = kind(SegformerConfig(**sizes, decoder_hidden_size=16, **classes(space)))
    return restless(network)


def swin():
    return SwinConfig(embed_dim=8, depths=[1] * 4, num_heads=[1, 1, 2, 2], window_size=4, out_features=STAGES)


def resnet():
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1] * 4, "layer_type": "basic"}
    return ResNetConfig(**sizes, out_features=STAGES)


def tiny_mask2former(space, backbone="swin", side=384):
    trunk = swin() if backbone == "swin" else resnet()
    widths = dict.fromkeys(("feature_size", "mask_feature_size", "hidden_dim", "dim_feedforward"), 32)
    config = Mask2FormerConfig(
        backbone_config=trunk, **widths, encoder_feedforward_dim=16, encoder_layers=1, decoder_layers=3,
        num_attention_heads=2, num_queries=14, **classes(space),
    )  # fmt: skip
    network = restless(Mask2FormerForUniversalSegmentation(config))
    masks = network.model.transformer_module.decoder.mask_predictor.mask_embedder.layers[-1].layers[0]
    return bold(network, masks, network.class_predictor, pixels(side))


def tiny_maskformer(space, side):
    config = t.MaskFormerConfig(
        backbone_config=swin(), decoder_config=t.DetrConfig(
            d_model=32, encoder_layers=1, decoder_layers=2, num_queries=14, encoder_ffn_dim=32, decoder_ffn_dim=32,
            encoder_attention_heads=2, decoder_attention_heads=2, backbone_config=resnet(),
        ),
        fpn_feature_size=32, mask_feature_size=32, **classes(space),
    )  # fmt: skip
    network = restless(t.MaskFormerForInstanceSegmentation(config))
    return bold(network, network.mask_embedder.layers[-1].layers[0], network.class_predictor, pixels(side))


def tiny_oneformer(space, side):
    widths = dict.fromkeys(("conv_dim", "mask_dim", "hidden_dim", "dim_feedforward", "encoder_feedforward_dim"), 32)
    config = t.OneFormerConfig(
        backbone_config=swin(), **widths, encoder_layers=1, decoder_layers=3, query_dec_layers=1, num_queries=14,
        num_attention_heads=2, **classes(space),
    )  # fmt: skip
    network = restless(t.OneFormerForUniversalSegmentation(config))
    decoder = network.model.transformer_module.decoder
    tasks = torch.ones(1, config.task_seq_len)
    return bold(network, decoder.mask_embed.layers[-1].layers[0], decoder.class_embed, pixels(side), task_inputs=tasks)


def tiny_eomt(space, side, kind=t.EomtForUniversalSegmentation):
    config = kind.config_class(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=2, image_size=side, num_blocks=1, num_queries=14,
        **({"intermediate_size": 64} if kind is not t.EomtForUniversalSegmentation else {}), **classes(space),
    )  # fmt: skip
    network = restless(kind(config))
    return bold(network, network.mask_head.fc3, network.class_predictor, pixels(side))


def tiny_upernet(space):
    trunk = t.ConvNextConfig(num_channels=3, hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=STAGES)
    config = t.UperNetConfig(backbone_config=trunk, hidden_size=16, use_auxiliary_head=False, **classes(space))
    return lively(restless(t.UperNetForSemanticSegmentation(config)), pixels(96))


def tiny_beit(space, side, kind=t.BeitForSemanticSegmentation):
    own = {"out_features": STAGES} if kind is t.BeitForSemanticSegmentation else {"out_indices": [0, 1, 2, 3]}
    config = kind.config_class(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=side,
        use_relative_position_bias=True, use_auxiliary_head=False, **own, **classes(space),
    )  # fmt: skip
    return lively(restless(kind(config)), pixels(side))


def tiny_dpt(space):
    config = t.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=32, image_size=96,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=16,
        use_auxiliary_head=False, **classes(space),
    )  # fmt: skip
    return lively(restless(t.DPTForSemanticSegmentation(config)), pixels(96))


def tiny_mobilevit(space):
    config = t.MobileViTConfig(
        hidden_sizes=[16, 16, 16], neck_hidden_sizes=[8, 8, 8, 16, 16, 16, 32], num_attention_heads=2,
        expand_ratio=2.0, aspp_out_channels=16, **classes(space),
    )  # fmt: skip
    return lively(calibrated(restless(t.MobileViTForSemanticSegmentation(config)), pixels(96)), pixels(96))


def tiny_mobilevitv2(space):
    config = t.MobileViTV2Config(
        width_multiplier=0.25, n_attn_blocks=[1, 1, 1], aspp_out_channels=16, base_attn_unit_dims=[32, 32, 32],
        **classes(space),
    )  # fmt: skip
    return lively(calibrated(restless(t.MobileViTV2ForSemanticSegmentation(config)), pixels(96)), pixels(96))


def tiny_mobilenet(space):
    config = t.MobileNetV2Config(depth_multiplier=0.25, **classes(space))
    return lively(restless(t.MobileNetV2ForSemanticSegmentation(config)), pixels(96))


@torch.no_grad()
def restless(network):
    """Weights, the same every time, large enough for an output that changes from place to place."""
    torch.manual_seed(1)
    for name, weight in sorted(network.named_parameters()):
        if weight.dim() > 1:
            weight.normal_(0, (2 / weight[0].numel()) ** 0.5)
        elif name.endswith("bias"):
            weight.zero_()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    return network.eval()


@torch.no_grad()
def calibrated(network, pixels):
    """Batch normalisations that know their features: else places differ by less than float32 carries to the logits."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    network.train()
    network(torch.cat([pixels, pixels.flip(1), -pixels, pixels.roll(1, 1)]))
    return network.eval()


@torch.no_grad()
def lively(network, pixels):
    """Classes that all have their places: logits of the same mean and spread."""
    layers = (layer for layer in network.modules() if isinstance(layer, nn.Conv2d))
    [*_, classifier] = (layer for layer in layers if layer.out_channels == network.config.num_labels)
    seen = []
    hook = classifier.register_forward_hook(lambda module, inputs, output: seen.append(output))
    network(pixels)
    hook.remove()
    mean, scale = seen[0].mean((0, 2, 3)), 1 / seen[0].std((0, 2, 3))
    classifier.weight *= scale[:, None, None, None]
    classifier.bias.copy_((classifier.bias - mean) * scale)
    return network


@torch.no_grad()
def bold(network, masks, classes, pixels, **others):
    """Queries that differ: each sure of its class, or that it is nothing, and with a mask of its own.

    masks, classes: the layers that give a query's mask and its class.
    """
    for predictor, contrast in ((masks, 1.0), (classes, 8.0)):
        seen = []
        hook = predictor.register_forward_hook(lambda module, inputs, output, seen=seen: seen.append(output))
        network(pixels, **others)
        hook.remove()
        answers = seen[-1].flatten(0, -2)  # of the queries
        mean, scale = answers.mean(0), contrast / answers.std(0)
        predictor.weight *= scale[:, None]
        predictor.bias.copy_((predictor.bias - mean) * scale)
    classes.bias[-1] += 4
    return network


def pixels(side):
    """A picture as networks take them."""
    return SegformerImageProcessor(**square(side))(picture(side, side).rgb.copy(), return_tensors="pt")["pixel_values"]


def square(side):
    return {"size": {"height": side, "width": side}}
