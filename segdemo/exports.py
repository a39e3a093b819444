"""Answers as files: label map, overlay, JSON, all of them in one zip, and tables as CSV text."""

import csv
import io
import json
import re
import unicodedata
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from PIL import Image

from segdemo import overlay, rle
from segdemo.images import InputImage
from segdemo.labels import VOID
from segdemo.models.spec import ModelSpec
from segdemo.overlay import Look
from segdemo.prediction import Prediction, Segments

FORMAT: Final = "segdemo prediction"
FORMAT_VERSION: Final = 1

_JPEG_MAX_SIDE: Final = 65_500  # libjpeg's own limit
_STEM_BYTES: Final = 120  # file systems stop at 255 for the whole name, model key and ending included
_DEVICES: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # no files on Windows


@dataclass(frozen=True)
class Entry:
    """One answer with what it takes to say where it came from, and how it is drawn (None: `overlay.usual_look`)."""

    prediction: Prediction
    image: InputImage
    spec: ModelSpec
    device: str
    precision: str
    look: Look | None = None


def label_png(prediction: Prediction) -> bytes:
    """The label map as a PNG of mode P: values are class ids (255: none), colours the label space's own."""
    picture = Image.fromarray(prediction.labels)
    picture.putpalette(prediction.space.palette().tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def overlay_jpeg(prediction: Prediction, image: InputImage, look: Look | None = None) -> bytes:
    """The picture under its answer at full size, as a JPEG file. look: None for `overlay.usual_look`."""
    look = look or overlay.usual_look(prediction.space)
    return overlay.encode_jpeg(overlay.draw_fitted(image.rgb, prediction, look, _JPEG_MAX_SIDE))


def prediction_json(
    prediction: Prediction, image: InputImage, spec: ModelSpec, device: str, precision: str
) -> dict[str, Any]:
    """Everything but the pixels, ready for `json.dumps`; shares are of the whole picture, in [0, 1].

    Colours are those of the label map's file, the data set's own.
    """
    height, width = image.size_hw
    times = prediction.times
    rows = overlay.legend(prediction)
    return {
        "format": FORMAT,
        "version": FORMAT_VERSION,
        "model": {
            "key": spec.key,
            "title": spec.title,
            "source": spec.source,
            "checkpoint": spec.shown_checkpoint,
            "revision": spec.revision,
            "licence": spec.licence,
            "paper": spec.paper,
        },
        "image": {"name": image.name, "sha256": image.digest, "width": width, "height": height},
        "extras": asdict(prediction.extras),
        "label_space": prediction.space.name,
        "classes": [
            {
                "id": row.class_id,
                "name": row.name,
                "color": row.color,
                "pixels": row.pixels,
                "share": row.share,
            }
            for row in rows
            if row.class_id != VOID
        ],
        "unassigned_pixels": next((row.pixels for row in rows if row.class_id == VOID), 0),
        "segments": None if prediction.segments is None else _segments_json(prediction, prediction.segments),
        "times": {
            "device": device,
            "precision": precision,
            "transfer_s": times.transfer_s,
            "preprocess_s": times.preprocess_s,
            "forward_s": times.forward_s,
            "postprocess_s": times.postprocess_s,
            "total_s": times.total_s,
        },
    }


def segments_rle(segments: Segments, size_hw: tuple[int, int]) -> list[dict[str, Any]]:
    """Each mask in COCO's compressed run-length form: {"size": [height, width], "counts": text}.

    The same text as pycocotools makes of the full-size mask, from the cropped one.
    """
    height, width = size_hw
    return [
        {"size": [height, width], "counts": rle.compressed(rle.run_lengths(mask, x1, y1, size_hw))}
        for mask, (x1, y1, _, _) in zip(segments.masks, segments.boxes_xyxy.tolist(), strict=True)
    ]


def file_stem(key: str) -> str:
    """A model's key as a part of file names."""
    return key.replace("/", "-")


def safe_stems(names: Sequence[str]) -> list[str]:
    """A file name without its ending for each name that a person gave, safe on any system and each different.

    No folders, no control characters, bounded; later names that differ in capitals alone are numbered.
    """
    taken: set[str] = set()
    stems = []
    for name in names:
        base = _safe_stem(name)
        stem, number = base, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def result_files(entry: Entry, stem: str) -> dict[str, bytes]:
    """The three files of one answer by name: STEM.KEY.labels.png, STEM.KEY.overlay.jpg, STEM.KEY.json."""
    prefix = f"{stem}.{file_stem(entry.spec.key)}"
    record = prediction_json(entry.prediction, entry.image, entry.spec, entry.device, entry.precision)
    return {
        f"{prefix}.labels.png": label_png(entry.prediction),
        f"{prefix}.overlay.jpg": overlay_jpeg(entry.prediction, entry.image, entry.look),
        f"{prefix}.json": json.dumps(record, indent=1, allow_nan=False).encode(),
    }


def zip_results(entries: Sequence[Entry]) -> bytes:
    """A zip of the files of all answers, and `classes.csv`: one row per picture, model and class."""
    pictures = dict.fromkeys((entry.image.name, entry.image.digest) for entry in entries)
    stems = dict(zip(pictures, safe_stems([name for name, _ in pictures]), strict=True))
    files: dict[str, bytes] = {}
    for entry in entries:
        files |= result_files(entry, stems[entry.image.name, entry.image.digest])
    # The byte order mark tells spreadsheets that the text is UTF-8.
    files["classes.csv"] = _classes_csv(entries).encode("utf-8-sig", errors="replace")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def csv_text(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A table as CSV, NaN and None as empty cells.

    Text that a spreadsheet would run as a formula gets an apostrophe in front.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow([_cell(value) for value in header])
    writer.writerows([_cell(value) for value in row] for row in rows)
    return buffer.getvalue()


def _cell(value: object) -> object:
    if isinstance(value, str):
        return "'" + value if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    return None if value != value else value  # only NaN differs from itself


def _classes_csv(entries: Sequence[Entry]) -> str:
    return csv_text(
        ["image", "model", "class", "pixels", "share %"],
        (
            [entry.image.name, entry.spec.key, row.name, row.pixels, 100 * row.share]
            for entry in entries
            for row in overlay.legend(entry.prediction)
        ),
    )


def _segments_json(prediction: Prediction, segments: Segments) -> list[dict[str, Any]]:
    height, width = prediction.labels.shape
    return [
        {
            "class_id": int(class_id),
            "class": prediction.space.classes[class_id],
            "score": round(float(score), 6),
            "box_xyxy": box,
            "area": int(np.count_nonzero(mask)),
            "rle": lengths,
        }
        for class_id, score, box, mask, lengths in zip(
            segments.class_ids,
            segments.scores,
            segments.boxes_xyxy.tolist(),
            segments.masks,
            segments_rle(segments, (height, width)),
            strict=True,
        )
    ]


def _safe_stem(name: str) -> str:
    last = re.split(r"[/\\]", name)[-1]
    stem, dot, _ = last.rpartition(".")
    text = unicodedata.normalize("NFC", stem if dot and stem.strip(". ") else last)
    kept = "".join("_" if c in '<>:"|?*' else c for c in text if c.isprintable())
    bounded = kept.encode()[:_STEM_BYTES].decode(errors="ignore").strip(". ")
    if not bounded:
        return "image"
    return f"_{bounded}" if _DEVICES.fullmatch(bounded) else bounded
