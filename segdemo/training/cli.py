"""`python -m segdemo train`: a recipe and labelled folders in, a checkpoint folder out."""

import argparse
import json
import platform
import sys
from pathlib import Path
from typing import Any

import torch
from torchvision.models.detection import MaskRCNN

from segdemo import devices
from segdemo.datasets import Dataset
from segdemo.datasets.folder import open_folder
from segdemo.errors import SegdemoError
from segdemo.labels import CAMVID, LabelSpace
from segdemo.training import Run, TrainingProgress, data, networks, train
from segdemo.training.export import export
from segdemo.training.recipe import Recipe, bundled, read

_VALIDATION_SEED, _TRAINING_SEED = 900_000, 1_000
_VALIDATION_SCENES = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's arguments."""
    parser.add_argument("--recipe", required=True, help="a starter's name (fcn, segformer, ...) or a TOML file")
    parser.add_argument("--data", type=Path, help="labelled folder to learn from; without it, generated scenes alone")
    parser.add_argument("--val", type=Path, help="labelled folder to score on; without it, generated scenes")
    parser.add_argument("--out", type=Path, required=True, help="folder for the run and its checkpoint")
    parser.add_argument("--device", default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Train, resuming a run of the same recipe in the same folder; returns the exit code."""
    path = Path(arguments.recipe)
    recipe = read(path if path.suffix == ".toml" else bundled(arguments.recipe))
    folder = _open(arguments.data) if arguments.data else None
    validation_folder = _open(arguments.val) if arguments.val else None
    space = folder.space if folder else CAMVID
    if validation_folder and validation_folder.space.classes != space.classes:
        raise SegdemoError("The folders of --data and --val have different classes; give both the same classes.json.")
    device = devices.choose(arguments.device)
    training = Run(recipe, space, device, arguments.out)
    resumed = training.resume()
    print(
        f"{'Resuming' if resumed else 'Training'} {recipe.network} on {devices.describe(device)}",
        file=sys.stderr,
    )
    photographs, scenes = _training_pictures(recipe, folder, device)
    validation = _validation_pictures(training, space, validation_folder).to(device)
    for progress in train(training, space, photographs, scenes, validation):
        _show(progress)
    training.averaged.load_state_dict(_best(training))
    export(
        training.averaged,
        recipe,
        space,
        _record(training, folder, validation_folder),
        arguments.out / "checkpoint",
    )
    print(arguments.out / "checkpoint")
    return 0


def _open(path: Path) -> Dataset:
    folder = open_folder(path)
    for skipped in folder.skipped:
        print(f"Skipping {skipped.name}, which {skipped.reason}.", file=sys.stderr)
    return folder


def _training_pictures(
    recipe: Recipe, folder: Dataset | None, device: str
) -> tuple[data.Pictures, data.Pictures | None]:
    """Photographs and scenes; without photographs the scenes are all there is."""
    if folder is None:
        return _scenes(recipe).to(device), None
    if not recipe.scenes:
        return data.from_folder(folder, recipe.picture_hw).to(device), None
    if folder.space.classes != CAMVID.classes:
        raise SegdemoError(
            "Generated scenes know CamVid's 11 classes only; set scenes = 0 in the recipe for this folder."
        )
    return data.from_folder(folder, recipe.picture_hw).to(device), _scenes(recipe).to(device)


def _scenes(recipe: Recipe) -> data.Pictures:
    return data.from_scenes(_TRAINING_SEED, recipe.scene_pool, recipe.picture_hw)


def _validation_pictures(training: Run, space: LabelSpace, folder: Dataset | None) -> data.Pictures:
    scenes_fit = space.classes == CAMVID.classes
    if folder is None and not scenes_fit:
        raise SegdemoError("Generated scenes know CamVid's 11 classes only; name a folder to score on with --val.")
    # Connected parts are a poor truth for instances: wherever scenes can, they are what Mask R-CNN is scored on.
    if folder is None or (scenes_fit and isinstance(training.network, MaskRCNN)):
        return data.from_scenes(_VALIDATION_SEED, _VALIDATION_SCENES, training.recipe.picture_hw)
    return data.from_folder(folder, training.recipe.picture_hw)


def _best(training: Run) -> dict[str, Any]:
    state: dict[str, Any] = torch.load(training.folder / "best.pt", map_location=training.device, weights_only=True)
    return state


def _show(progress: TrainingProgress) -> None:
    score = "" if progress.score is None else f"  score {progress.score:.4f} (best {progress.best:.4f})"
    end = "\n" if progress.score is not None or not sys.stderr.isatty() else "\r"
    print(
        f"step {progress.step}/{progress.steps}  loss {progress.loss:.3f}  {progress.left_s / 60:.1f} min left{score}",
        end=end,
        file=sys.stderr,
        flush=True,
    )


def _record(training: Run, folder: Dataset | None, validation: Dataset | None) -> dict[str, Any]:
    recipe = training.recipe
    trained_on = [f"{folder.space.name}, {len(folder)} pictures"] if folder else []
    if recipe.scenes or folder is None:
        trained_on.append(f"{recipe.scene_pool} generated street scenes")
    scored_on = f"{validation.space.name}, {len(validation)} pictures" if validation else "generated street scenes"
    return {
        "recipe": recipe.record(),
        "trained_on": trained_on,
        "scored_on": scored_on,
        "best_score": training.best,
        "steps": training.step,
        "started_from": _record_of(recipe.start_from) if recipe.start_from else None,
        "minutes": round(training.elapsed_s / 60, 1),
        "device": f"{devices.describe(training.device)}, {torch.get_num_threads()} threads",
        "versions": {"torch": torch.__version__, "python": platform.python_version()},
    }


def _record_of(start: str) -> dict[str, Any]:
    path = networks.checkpoint_folder(start) / "record.json"
    return json.loads(path.read_text()) if path.is_file() else {"checkpoint": start}
