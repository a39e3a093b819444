"""The network a recipe names, with random weights or with another checkpoint's trunk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import transformers
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model

from segdemo.errors import ModelError, SegdemoError
from segdemo.labels import LabelSpace
from segdemo.models import catalog, starters, weights
from segdemo.models.architectures import published_configs, small_transformers
from segdemo.models.architectures.deeplab import VGG_DEPTHS
from segdemo.models.masked_decoder import decode_lightly

_SMALL = tuple(sorted(f"{path.stem}_small" for path in (Path(__file__).parent / "recipes").glob("*.toml")))


def build(name: str, space: LabelSpace) -> nn.Module:
    """A network for the classes of `space` with random weights.

    name: of a starter network (`fcn_small`, ...), or the key of any model of the catalogue, for its architecture alone.
    Raises `SegdemoError` for an unknown name.
    """
    network = _build(name, space)
    decode_lightly(network)
    return network


def _build(name: str, space: LabelSpace) -> nn.Module:
    if name in _SMALL:
        return _small(name, space)
    try:
        spec = catalog.find(name)
    except ModelError as error:
        raise SegdemoError(f"There is no network {name!r}; choose one of: {', '.join(_SMALL)}, or a key that "
                           "`python -m segdemo models` lists.") from error  # fmt: skip
    if spec.source == "starter":
        return _small(f"{spec.checkpoint}_small", space)
    if spec.source == "release":
        raise SegdemoError(f"{name} tells one class from all else and cannot be trained for others; choose unet_small.")
    if spec.source == "torchvision":
        labels = len(space.classes) + (spec.task == "instance")  # Mask R-CNN's label 0 is background
        network: nn.Module = get_model(spec.architecture, weights=None, weights_backbone=None, num_classes=labels)
        return network
    config, _ = published_configs.find(replace(spec, space=space))
    return getattr(transformers, spec.architecture)(config)


def _small(name: str, space: LabelSpace) -> nn.Module:
    if hasattr(small_transformers, name):
        build_it: Callable[[LabelSpace], nn.Module] = getattr(small_transformers, name)
        return build_it(space)
    return starters.builder(name)(len(space.classes))


def checkpoint_folder(name: str) -> Path:
    """Where a checkpoint to start from is: a starter by its name, anything else by its path."""
    starter = weights.STARTERS / name
    return starter if starter.is_dir() else Path(name)


def start_from(network: nn.Module, checkpoint: Path) -> int:
    """Copy a checkpoint into a network, whole where it is of the same network, else its ResNet or VGG trunk.

    Mask2Former may have more queries than the checkpoint: the first ones are the checkpoint's, the others stay random.
    It may have more decoder layers: these repeat the checkpoint's, each looking at the scale that its original does.
    Returns how many tensors were taken. Raises `SegdemoError` where the two have nothing in common.
    """
    try:
        source = load_file(checkpoint / "model.safetensors")
    except (OSError, ValueError) as error:
        raise SegdemoError(f"The checkpoint {checkpoint} to start from cannot be read: {error}.") from error
    target = network.state_dict()
    source = _deepened(source, target)
    if source.keys() != target.keys():
        source, target = trunk_tensors(source), trunk_tensors(target)
    shared = source.keys() & target.keys()
    places = {name: target[name][: len(source[name])] if _is_of_queries(name) else target[name] for name in shared}
    if not shared or any(source[name].shape != place.shape for name, place in places.items()):
        raise SegdemoError(f"The checkpoint {checkpoint} has no trunk in common with this network.")
    for name, place in places.items():
        place.copy_(source[name])
    return len(shared)


def _deepened(source: dict[str, Tensor], target: dict[str, Tensor]) -> dict[str, Tensor]:
    """The source with all the decoder layers of Mask2Former that the target has, its own over and over."""
    depth = len({name.split(".")[0] for name in _in_layers(source)})
    layers = {}
    for name in _in_layers(target) if depth else ():
        number, _, rest = name.partition(".")
        original = f"{_DECODER_LAYERS}{int(number) % depth}.{rest}"
        if original in source:
            layers[_DECODER_LAYERS + name] = source[original]
    return source | layers


def _in_layers(state: dict[str, Tensor]) -> list[str]:
    """Names of decoder layers' tensors from the layer's number on."""
    return [name.removeprefix(_DECODER_LAYERS) for name in state if name.startswith(_DECODER_LAYERS)]


def _is_of_queries(name: str) -> bool:
    """Whether a tensor has a row for each of Mask2Former's queries."""
    return name.startswith(("model.transformer_module.queries_embedder.", "model.transformer_module.queries_features."))


def trunk_tensors(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a trunk inside a state dict: a ResNet's under torchvision's names (`layer1.0.conv1.weight`, ...),
    a VGG-16's under SegNet's (`encoder.0.0.weight`, ...).

    Libraries name the same layers differently; within the trunk, order and shapes agree.
    """
    named = {}
    for name, tensor in state.items():
        plain = _torchvision_name(name) or _vgg_name(name)
        if plain:
            named[plain] = tensor
    return named


def _torchvision_name(name: str) -> str | None:
    for prefix in ("backbone.body.", "backbone.", "pretrained.", "encoder.patch_embed.backbone."):
        if name.startswith(prefix) and name.removeprefix(prefix).split(".")[0] in _TRUNK:
            return name.removeprefix(prefix)
    prefix = "model.pixel_level_module.encoder."
    if not name.startswith(prefix):
        return None
    parts = name.removeprefix(prefix).split(".")
    if parts[0] == "embedder":  # embedder.embedder.{convolution,normalization}.X
        return f"{'conv1' if parts[2] == 'convolution' else 'bn1'}.{parts[3]}"
    if parts[:2] != ["encoder", "stages"] or int(parts[2]) > 2:
        return None
    block = f"layer{int(parts[2]) + 1}.{parts[4]}"  # encoder.stages.S.layers.B.{layer.L,shortcut}.KIND.X
    normal = parts[-2] == "normalization"
    if parts[5] == "shortcut":
        return f"{block}.downsample.{1 if normal else 0}.{parts[-1]}"
    return f"{block}.{'bn' if normal else 'conv'}{int(parts[6]) + 1}.{parts[-1]}"


def _vgg_name(name: str) -> str | None:
    """Of SegNet's encoder or DeepLab's trunk: stages of convolutions, norms and ReLUs, DeepLab's with a pooling."""
    part, _, rest = name.partition(".")
    if part == "encoder" and rest[:1].isdigit():
        return name
    if part != "trunk":
        return None
    place, _, kind = rest.partition(".")
    at = int(place)
    for stage, depth in enumerate(VGG_DEPTHS):
        if at < 3 * depth:
            return f"encoder.{stage}.{at}.{kind}"
        at -= 3 * depth + 1
    return None


_DECODER_LAYERS = "model.transformer_module.decoder.layers."
_TRUNK = {"conv1", "bn1", "layer1", "layer2", "layer3"}
