"""Who may import whom: only from a lower layer (docs/design.md, section 2)."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = [
    {"", "errors", "extras", "palettes", "label_tables", "labels", "words", "devices"},
    {
        *("images", "prediction", "bit_masks", "sample", "models.spec", "models.catalog", "models.catalog_rows"),
        *("confusion", "boundary", "object_sizes", "calibration", "significance", "class_mapping", "published_times"),
    },
    {"label_image", "matching", "rle", "average_precision", "overlay", "places", "agreement", "datasets", "models"},
    {
        *("exports", "scoring", "scoreboard", "evaluate", "evaluate_on_ray", "training", "results"),
        *("benchmark_case", "benchmark_memory", "benchmark", "worked_example"),
    },
    {"tables", "score_tables", "charts", "report", "terminal", "extras_arguments", "benchmark_cli", "benchmark_tables"},
    {"ui"},
    {"screens", "streamlit_app", "__main__"},
]
TORCH = {"torch", "torchvision", "transformers"}
MAY_USE_TORCH = ("devices", "models", "training")
FILES = [*(ROOT / "segdemo").rglob("*.py"), *(ROOT / "screens").rglob("*.py"), ROOT / "streamlit_app.py"]


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part not in ("segdemo", "__init__"))


def layer(name: str) -> int:
    """The layer of the longest prefix that stands in the table."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        for number, names in enumerate(LAYERS):
            if ".".join(parts[:length]) in names:
                return number
    raise AssertionError(f"segdemo.{name} stands in no layer; add it to docs/design.md and here")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {
                s if (ROOT / s.replace(".", "/")).with_suffix(".py").is_file() else node.module for s in submodules
            }
            found |= {s for s in submodules if (ROOT / s.replace(".", "/")).is_dir()}
    return found


@pytest.mark.parametrize("path", FILES, ids=module)
def test_a_module_imports_from_its_own_layer_or_lower_ones(path: Path):
    own = layer(module(path) or "errors")
    for name in imports(path):
        if name == "segdemo" or not name.startswith("segdemo."):
            continue
        inner = name.removeprefix("segdemo.")
        assert layer(inner) <= own, f"{module(path)} (layer {own}) imports {inner} (layer {layer(inner)})"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_heavy_libraries_stay_in_their_rooms(path: Path):
    name, used = module(path), {i.split(".")[0] for i in imports(path)}
    if not name.startswith(MAY_USE_TORCH):
        assert not used & TORCH
    if "streamlit" in used:
        assert name.startswith(("ui", "screens", "streamlit_app"))
    if "plotly" in used:
        assert name == "charts" or name.startswith("ui")


def test_no_folder_is_called_pages():
    """Streamlit would take it for the list of pages (docs/design.md, section 2)."""
    assert not (ROOT / "pages").exists()
