"""Sky, and the finishing pass: textures, ground shadows, and what a camera does to a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from segdemo.datasets._street_canvas import SUPERSAMPLE, Camera, Canvas, Colour, Floats, Light, Material, Tags

Pixels = npt.NDArray[np.float32]
TILE = 256


@dataclass(frozen=True)
class Sky:
    """Colours of the sky, 0..255, and its cloud cover, 0..1."""

    zenith: Colour
    horizon: Colour
    cloud: Colour
    cover: float


ROUGHNESS = np.array([0.0, 0.055, 0.045, 0.16, 0.14, 0.035, 0.0], dtype=np.float32)  # fine noise by Material
BLOTCHES = np.array([0.0, 0.05, 0.05, 0.13, 0.1, 0.05, 0.0], dtype=np.float32)  # coarse noise by Material


def cloud_tile(rng: np.random.Generator, slope: float) -> Pixels:
    """A periodic (256, 256) noise tile of mean 0 and deviation 1 whose spectrum falls with `slope`."""
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None])
    frequency[0, 0] = 1.0
    phases = np.exp(2j * np.pi * rng.random(frequency.shape))
    spectrum = phases * frequency**-slope
    spectrum[0, 0] = 0.0
    tile = np.fft.irfft2(spectrum, s=(TILE, TILE))
    return (tile / tile.std()).astype(np.float32)


def paint_sky(camera: Camera, sky: Sky, tile: Pixels) -> Pixels:
    """The sky down to the horizon (rows, W, 3), 0..255: a gradient to the horizon, with clouds in perspective."""
    height, width = (n // SUPERSAMPLE for n in camera.size_hw)
    focal = camera.focal / SUPERSAMPLE
    slope = abs(camera.roll) * width / 2 + 12
    bottom = int(np.clip(camera.horizon / SUPERSAMPLE + slope, 1, height))
    up = np.clip((camera.horizon / SUPERSAMPLE - np.arange(bottom, dtype=np.float32)[:, None]) / focal, 0.0, None)
    blend = np.sqrt(np.clip(up * 1.6, 0, 1))[..., None]
    clear = np.asarray(sky.horizon, np.float32) * (1 - blend) + np.asarray(sky.zenith, np.float32) * blend
    lines = np.clip((camera.horizon / SUPERSAMPLE - np.linspace(0, bottom, 120)[:, None]) / focal, 0.0, None)
    columns = np.linspace(-0.5, 0.5, 160)[None] * width / focal
    reach = 1.0 / (lines + 0.12)
    density = np.clip((_smooth(tile, reach * 60, columns * reach * 40) + 2.6 * sky.cover - 1.3) * 0.8, 0, 1)
    density = Image.fromarray((density * np.clip(lines * 8, 0, 1)).astype(np.float32))
    wide = np.asarray(density.resize((width, bottom), Image.Resampling.BILINEAR))
    picture = wide[..., None] * (np.asarray(sky.cloud, np.float32) - clear)
    picture += clear
    return picture


def _smooth(tile: Pixels, v: Floats, u: Floats) -> Floats:
    """Read a periodic tile between its samples (bilinear)."""
    v, u = np.broadcast_arrays(v, u)
    low_v, low_u = np.floor(v).astype(int), np.floor(u).astype(int)
    dv, du = v - low_v, u - low_u
    rows, columns = (low_v % TILE, (low_v + 1) % TILE), (low_u % TILE, (low_u + 1) % TILE)
    upper = tile[rows[0], columns[0]] * (1 - du) + tile[rows[0], columns[1]] * du
    lower = tile[rows[1], columns[0]] * (1 - du) + tile[rows[1], columns[1]] * du
    return upper * (1 - dv) + lower * dv


def _ground_noise(camera: Camera, shape: tuple[int, int], tile: Pixels, grain: Pixels) -> tuple[Pixels, Pixels]:
    """Coarse and fine noise (rows below the horizon, W) in street metres, so that both shrink with distance."""
    height, width = shape
    top = int(np.clip(camera.horizon / SUPERSAMPLE + 1, 0, height))
    rows = np.arange(top, height, dtype=np.float32)[:, None] * SUPERSAMPLE
    z = camera.focal * camera.height_m / np.maximum(rows - camera.horizon, 1.0)
    s = (np.arange(width, dtype=np.float32)[None] * SUPERSAMPLE - camera.centre) * z / camera.focal
    s = s - (camera.heading + 0.5 * camera.bend * z) * z
    near = 1 / (1 + z / 25)
    u, v = (s * 18).astype(np.int32), (z * 18).astype(np.int32)
    coarse = tile[v % TILE, u % TILE]
    fine = grain[(v * 5 + (z * 7).astype(np.int32)) % TILE, (s * 70).astype(np.int32) % TILE] * near
    return coarse, fine


def finish(canvas: Canvas, sky: Pixels, rng: np.random.Generator, tile: Pixels) -> tuple[Pixels, Tags]:
    """Resolve the canvas and lay textures and shadows over the picture."""
    picture, tags, shadow = canvas.resolve(sky)
    height, width = tags.shape
    material = (tags >> 8) & 255
    grain = rng.standard_normal((TILE, TILE), dtype=np.float32)
    coarse, fine = _screen_noise((height, width), tile, grain)
    ground_coarse, ground_fine = _ground_noise(canvas.camera, (height, width), tile, grain)
    top = height - len(ground_coarse)
    flat = (material[top:] >= Material.ASPHALT) & (material[top:] <= Material.GRASS)
    np.copyto(coarse[top:], ground_coarse, where=flat)
    np.copyto(fine[top:], ground_fine, where=flat)
    gain = ROUGHNESS[material] * fine + BLOTCHES[material] * coarse + 1
    gain[top:] *= 1 - flat * shadow[top:] * np.float32(max(canvas.light.shadow_depth, 0.4))
    picture *= np.clip(gain, 0.1, 1.8, out=gain)[..., None]
    if canvas.light.lamps_on:
        _add_bloom(picture)
    elif canvas.light.sun[2] > 0.3 and canvas.light.direct > 0.4:
        _add_glare(picture, canvas.camera, canvas.light)
    return picture, tags


def _add_bloom(picture: Pixels) -> None:
    """Spread the light of lamps and lit windows into what surrounds them."""
    height, width = picture.shape[:2]
    bright = Image.fromarray(np.clip((picture - 170) * 2.5, 0, 255).astype(np.uint8))
    small = bright.resize((max(1, width // 4), max(1, height // 4)), Image.Resampling.BOX)
    wide = small.filter(ImageFilter.GaussianBlur(width / 160)).resize((width, height), Image.Resampling.BILINEAR)
    picture += np.asarray(wide, dtype=np.float32) * 0.9


def _add_glare(picture: Pixels, camera: Camera, light: Light) -> None:
    """Veil the picture around a sun that stands ahead."""
    height, width = picture.shape[:2]
    x, y, z = light.sun
    u = (np.linspace(0, camera.size_hw[1], 48, dtype=np.float32)[None] - camera.centre) / camera.focal - x / z
    v = (np.linspace(0, camera.size_hw[0], 36, dtype=np.float32)[:, None] - camera.horizon) / camera.focal + y / z
    glow = Image.fromarray(np.exp(-2.2 * np.sqrt(u * u + v * v)) * np.float32(110 * light.direct))
    wide = np.asarray(glow.resize((width, height), Image.Resampling.BILINEAR))
    picture += wide[..., None] * np.asarray(light.sun_tint, dtype=np.float32)


def _screen_noise(shape: tuple[int, int], tile: Pixels, grain: Pixels) -> tuple[Pixels, Pixels]:
    """Noise at picture scale for walls and leaves; the same pattern at every picture size."""
    zoom = 480 / max(shape[1], 1)
    rows = (np.arange(shape[0]) * zoom).astype(np.int32)[:, None]
    columns = (np.arange(shape[1]) * zoom).astype(np.int32)[None]
    coarse = tile[(rows * 3) % TILE, (columns * 3) % TILE]
    fine = grain[rows % TILE, columns % TILE]
    return coarse, fine


def develop(picture: Pixels, light: Light, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Automatic exposure, colour cast, contrast, vignette, softness and sensor noise."""
    height, width = picture.shape[:2]
    bright = 120 if not light.lamps_on else 90
    exposure = float(np.exp(rng.normal(0.0, 0.14))) * (bright / max(float(picture.mean()), 1.0)) ** 0.7
    cast = np.exp(rng.normal(0.0, 0.03, 3)).astype(np.float32)
    contrast, vignette = float(rng.uniform(0.95, 1.2)), float(rng.uniform(0.0, 0.3))
    softness, amount = float(rng.uniform(0.0, 0.9)), 0.6 + 4.5 * float(rng.random()) ** 3
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] ** 2
    x = np.linspace(-1, 1, width, dtype=np.float32)[None] ** 2
    levels = picture * (1 - vignette * 0.5 * (x + y))[..., None]
    levels *= np.float32(exposure)
    levels += rng.standard_normal((height, width, 1), dtype=np.float32) * np.float32(amount)
    image = Image.fromarray(_print(levels, cast, contrast))
    if softness > 0.45:
        image = image.filter(ImageFilter.BoxBlur(softness * width / 900))
    return np.asarray(image)


def _print(levels: Pixels, cast: Pixels, contrast: float) -> npt.NDArray[np.uint8]:
    """Bring float levels to 0..255: cast and contrast, highlights rolled off softly above 190 as film does."""
    steps = np.arange(1024, dtype=np.float32)[:, None] * cast
    steps = (steps - 112) * contrast + 112
    rolled = np.where(steps < 190, steps, 190 + 65 * (1 - np.exp(-(steps - 190) / 65)))
    table = np.clip(rolled, 0, 255).astype(np.uint8)
    whole = np.clip(levels, 0, 1023, out=levels).astype(np.uint16)
    return np.stack([np.take(table[:, k], whole[..., k]) for k in range(3)], axis=-1)
