"""The slide as optical density, and the scanner that takes its picture.

Everything on the slide absorbs light, and densities of what lies above each other add up
(Beer-Lambert). The slide is drawn at twice the picture's resolution and averaged, as a scanner's
pyramid is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from her2pyramid.demo.texture import Picture, noise

SCALE: Final = 2  # pixels of the drawing along one pixel of the picture


@dataclass(frozen=True)
class Camera:
    """How a scanner turns light into a picture.

    Attributes
    ----------
    glass
        RGB of clear glass.
    haematoxylin, dab
        Optical density by RGB channel of one unit of the stain, of length 1.
    gradient
        How far the light varies over the slide, in grey levels.
    bands
        How far stitched fields differ from each other, in grey levels.
    noise
        Deviation of the pixels' noise, in grey levels.
    blur_px
        Blur of the optics, as a standard deviation.
    sharpen
        Share of unsharp masking that the scanner adds.
    defocus_px
        Blur where the picture is out of focus; 0 for a picture in focus everywhere.
    jpeg_quality
        Quality at which the picture was once stored, 1 to 100.
    """

    glass: tuple[float, float, float]
    haematoxylin: tuple[float, float, float]
    dab: tuple[float, float, float]
    gradient: float
    bands: float
    noise: float
    blur_px: float
    sharpen: float
    defocus_px: float
    jpeg_quality: int


def random_camera(rng: np.random.Generator, *, defocus_px: float = 0.0) -> Camera:
    """A scanner and a stain, different from every other's."""
    # From the greyish haematoxylin of some assays to the violet-blue of others.
    bluish = rng.uniform(0.1, 1.15)
    tint = rng.normal(0, 1.2, 3) + rng.choice([0.0, 1.0], p=[0.7, 0.3]) * np.array([-2, 0, 3])
    level = rng.uniform(238, 246) if rng.random() < 0.75 else rng.uniform(226, 238)
    glass = np.clip(level + tint, 225, 248)
    return Camera(
        glass=_triple(glass),
        haematoxylin=_unit(np.array([0.57, 0.59, 0.56]) + bluish * np.array([0.08, 0.05, -0.17])),
        dab=_unit(np.array([0.37, 0.56, 0.74]) + rng.normal(0, 0.02, 3)),
        gradient=float(rng.uniform(0.3, 4)),
        bands=float(rng.choice([0.0, 1.0]) * rng.uniform(0.2, 1.0)),
        noise=float(rng.uniform(0.2, 1.2)),
        blur_px=float(rng.uniform(0, 0.5)),
        sharpen=float(rng.choice([0.0, 1.0]) * rng.uniform(0.1, 0.6)),
        defocus_px=defocus_px,
        jpeg_quality=int(rng.integers(78, 98)),
    )


class Scene:
    """A slide being drawn: optical density at SCALE times the picture's resolution.

    Parameters
    ----------
    width, height
        Size of the picture in pixels.

    Attributes
    ----------
    od
        Optical density, (height * SCALE, width * SCALE, 3) float32. Below 0 where something
        gathers light.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.od = np.zeros((height * SCALE, width * SCALE, 3), np.float32)

    def stamp(self, tile: Picture, x: int, y: int) -> None:
        """Add a tile of optical density, (h, w, 3) or (h, w), its upper left corner at x, y.

        Place and tile are at the drawing's resolution; what lies outside is cut off.
        """
        high, wide = tile.shape[:2]
        top, left = max(0, -y), max(0, -x)
        bottom = min(high, self.od.shape[0] - y)
        right = min(wide, self.od.shape[1] - x)
        if bottom > top and right > left:
            part = tile[top:bottom, left:right]
            target = self.od[y + top : y + bottom, x + left : x + right]
            target += part if part.ndim == 3 else part[..., None]


def expose(rng: np.random.Generator, scene: Scene, camera: Camera) -> NDArray[np.uint8]:
    """The scanner's picture of a slide, (height, width, 3) uint8 RGB."""
    size = (scene.width, scene.height)
    light = np.power(np.float32(10), -scene.od)
    light = np.asarray(cv2.resize(light, size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    light *= np.array(camera.glass, np.float32)
    light += _unevenness(rng, size, camera)
    if camera.blur_px > 0.15:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), camera.blur_px), dtype=np.float32)
    if camera.defocus_px:
        light = _defocus(rng, light, camera.defocus_px)
    if camera.sharpen:
        light += np.float32(camera.sharpen) * (light - cv2.GaussianBlur(light, (0, 0), 1.0))
    grain = rng.standard_normal((scene.height, scene.width, 3), dtype=np.float32)
    return to_bytes(light + np.float32(camera.noise) * grain)


def store(picture: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    """The RGB picture after it was once stored as JPEG."""
    _, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.ascontiguousarray(decoded[..., ::-1], dtype=np.uint8)


def to_bytes(picture: Picture) -> NDArray[np.uint8]:
    """Grey levels rounded to bytes."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def field(rng: np.random.Generator, shape: tuple[int, int], grain_px: float) -> Picture:
    """Smooth random field of mean about 0 and deviation about 1, (h, w) as given."""
    return noise(rng, max(shape), grain_px)[: shape[0], : shape[1]]


def _unevenness(rng: np.random.Generator, size: tuple[int, int], camera: Camera) -> Picture:
    """Grey levels by which the lamp and stitched fields differ from the middle, (h, w, 1)."""
    width, height = size
    x = np.linspace(-1, 1, width, dtype=np.float32)[None]
    y = np.linspace(-1, 1, height, dtype=np.float32)[:, None]
    angle = rng.uniform(0, 2 * np.pi)
    slope = np.float32(np.cos(angle)) * x + np.float32(np.sin(angle)) * y
    bowl = (x - np.float32(rng.uniform(-0.5, 0.5))) ** 2 + (y - np.float32(rng.normal(0, 0.3))) ** 2
    uneven = np.float32(0.6 * camera.gradient) * slope - np.float32(
        0.4 * camera.gradient * rng.random()
    ) * np.asarray(bowl, dtype=np.float32)
    if camera.bands:
        # Scanners stitch strips; the lamp or the shading correction differs a little in each.
        strip = int(rng.integers(25, 130))
        steps = rng.normal(0, camera.bands, max(width, height) // strip + 2).astype(np.float32)
        along = np.repeat(steps, strip)
        uneven = uneven + (along[None, :width] if rng.random() < 0.7 else along[:height, None])
    return np.asarray(uneven, dtype=np.float32)[..., None]


def _defocus(rng: np.random.Generator, light: Picture, sigma_px: float) -> Picture:
    """Blur parts of the picture: a smooth region, or strips of the scanner."""
    height, width = light.shape[:2]
    soft = np.asarray(cv2.GaussianBlur(light, (0, 0), sigma_px), dtype=np.float32)
    softest = np.asarray(cv2.GaussianBlur(light, (0, 0), 2 * sigma_px), dtype=np.float32)
    if rng.random() < 0.6:
        out = field(rng, (height, width), 0.4 * max(height, width)) * np.float32(1.5)
        amount = np.clip(out + np.float32(rng.uniform(0.2, 0.9)), 0, 2)
    else:
        strip = int(rng.integers(70, 260))
        steps = rng.choice([0.0, 0.3, 1.0, 2.0], width // strip + 2, p=[0.4, 0.2, 0.25, 0.15])
        amount = np.tile(np.repeat(steps, strip)[:width].astype(np.float32), (height, 1))
    first = np.clip(amount, 0, 1)[..., None]
    second = np.clip(amount - 1, 0, 1)[..., None]
    mixed = light * (1 - first) + soft * (first - second) + softest * second
    return np.asarray(mixed, dtype=np.float32)


def _triple(values: NDArray[np.float64]) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])


def _unit(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    return _triple(vector / np.linalg.norm(vector))
