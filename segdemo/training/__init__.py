"""Train a network from a recipe: resumable, the same for the same seed, yielding progress.

Every random number of a step comes from the recipe's seed and the step's number, so that a run that was killed goes on
from its last save exactly as if it had never stopped.
"""

import copy
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from segdemo.labels import LabelSpace
from segdemo.training import augment, networks, tasks
from segdemo.training.data import Pictures
from segdemo.training.recipe import Recipe

_SAVE_EVERY_S = 60.0


@dataclass(frozen=True)
class TrainingProgress:
    """Where a run stands.

    loss: mean since the last report. score: of the averaged weights, where it was just measured, else None.
    """

    step: int
    steps: int
    loss: float
    score: float | None
    best: float
    elapsed_s: float
    left_s: float


class Run:
    """A network in training with its optimiser, its averaged copy and its counters; everything that a save holds."""

    def __init__(self, recipe: Recipe, space: LabelSpace, device: str, folder: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device, self.folder = recipe, device, folder
        network = networks.build(recipe.network, space)
        if recipe.start_from:
            networks.start_from(network, networks.checkpoint_folder(recipe.start_from))
        self.network = network.to(device).to(memory_format=torch.channels_last)
        self.averaged = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(_parameter_groups(self.network, recipe), lr=recipe.learning_rate)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, self._rate)
        self.step, self.best, self.elapsed_s = 0, 0.0, 0.0
        folder.mkdir(parents=True, exist_ok=True)

    def _rate(self, step: int) -> float:
        """Linear warm-up, then the polynomial decay of the DeepLab papers."""
        warm = min(1.0, (step + 1) / max(1, self.recipe.warmup_steps))
        return warm * max(0.0, 1 - step / self.recipe.steps) ** 0.9

    def learn(self, task: tasks.Task, photographs: Pictures, scenes: Pictures | None) -> float:
        """One step; returns the loss."""
        torch.manual_seed((self.recipe.seed << 32) + self.step)
        self.network.train()
        rgb, labels, instances = _draw(self.recipe, photographs, scenes)
        rgb = rgb.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            loss = task.loss(self.network, rgb, labels, instances)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        length = nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        if torch.isfinite(length):  # one batch in thousands may overflow; its step would poison all that follow
            self.optimizer.step()
        self.schedule.step()
        self._average()
        self.step += 1
        return float(loss.detach())

    @torch.no_grad()
    def _average(self) -> None:
        # A young average must follow quickly: the decay grows to its full value over the first steps.
        decay = min(self.recipe.ema_decay, (1 + self.step) / (10 + self.step))
        for kept, new in zip(self.averaged.state_dict().values(), self.network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)

    def validate(self, task: tasks.Task, pictures: Pictures) -> tuple[float, bool]:
        """The averaged network's score and whether it is the best so far; a best one is kept in `best.pt`."""
        with (
            torch.inference_mode(),
            torch.autocast(self.device.split(":")[0], torch.bfloat16, enabled=self.recipe.precision == "bf16"),
        ):
            score = task.score(self.averaged, pictures)
        is_best = score > self.best
        if is_best:
            self.best = score
            _save(self.averaged.state_dict(), self.folder / "best.pt")
        return score, is_best

    def save(self) -> None:
        """Everything needed to go on, in `last.pt`."""
        _save(
            {
                "recipe": self.recipe.record(),
                "network": self.network.state_dict(),
                "averaged": self.averaged.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "step": self.step,
                "best": self.best,
                "elapsed_s": self.elapsed_s,
            },
            self.folder / "last.pt",
        )

    def resume(self) -> bool:
        """Go on from `last.pt` where there is one of the same recipe."""
        path = self.folder / "last.pt"
        if not path.is_file():
            return False
        state: dict[str, Any] = torch.load(path, map_location=self.device, weights_only=True)
        if state["recipe"] != self.recipe.record():
            return False
        self.network.load_state_dict(state["network"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.step, self.best, self.elapsed_s = state["step"], state["best"], state["elapsed_s"]
        return True


def train(
    run: Run, space: LabelSpace, photographs: Pictures, scenes: Pictures | None, validation: Pictures
) -> Iterator[TrainingProgress]:
    """Train a run to its last step, reporting about every two seconds; validation is done on its way and at its end."""
    recipe = run.recipe
    task = tasks.make(recipe, run.network, space, photographs)
    started, first_step, losses = time.monotonic() - run.elapsed_s, run.step, []
    begun = reported = saved = time.monotonic()
    while run.step < recipe.steps:
        losses.append(run.learn(task, photographs, scenes))
        due = run.step % recipe.validate_every == 0 or run.step == recipe.steps
        score = run.validate(task, validation)[0] if due else None
        now = time.monotonic()
        run.elapsed_s = now - started
        if due or now - saved > _SAVE_EVERY_S:
            run.save()
            saved = now
        if due or now - reported > 2:
            left = (now - begun) / (run.step - first_step) * (recipe.steps - run.step)
            mean = sum(losses) / len(losses)
            yield TrainingProgress(run.step, recipe.steps, mean, score, run.best, run.elapsed_s, left)
            reported, losses = now, []


def _draw(recipe: Recipe, photographs: Pictures, scenes: Pictures | None) -> tuple[torch.Tensor, ...]:
    from_scenes = round(recipe.batch * recipe.scenes) if scenes is not None else 0
    parts = []
    for pictures, n in ((photographs, recipe.batch - from_scenes), (scenes, from_scenes)):
        if n and pictures is not None:
            chosen = torch.randint(len(pictures), (n,), device=pictures.rgb.device)
            parts.append(augment.batch(pictures, chosen, recipe.crop_hw, recipe.zoom))
    rgb, labels, instances = (torch.cat(column) for column in zip(*parts, strict=True))
    return augment.mix(rgb, labels, instances, recipe.mixing) if recipe.mixing else (rgb, labels, instances)


def _parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """Matrices and kernels decay; biases, norms and scales do not."""
    parameters = [p for p in network.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": recipe.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]


def _save(state: dict[str, Any], path: Path) -> None:
    """Write beside, then rename: a kill in the middle leaves the old file whole."""
    beside = path.with_suffix(".tmp")
    torch.save(state, beside)
    beside.replace(path)
