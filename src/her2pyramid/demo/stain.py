"""Stain and light: how one slide came out of the staining machine and the scanner.

Colours come by the Beer-Lambert law: each pixel has an amount of haematoxylin and of DAB, and
lets light through as 10 to the minus their optical densities. The stains' vectors are near the
usual ones (Ruifrok and Johnston 2001, Anal Quant Cytol Histol 23:291), the haematoxylin greyer,
as HER2 assays have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

HAEMATOXYLIN: Final = (0.67, 0.65, 0.36)
DAB: Final = (0.28, 0.54, 0.79)
GLASS: Final = (244.0, 243.0, 242.0)


@dataclass(frozen=True)
class Stain:
    """How one slide came out of the staining machine and the scanner.

    Attributes
    ----------
    haematoxylin, dab
        Optical density of one unit of the stain by RGB channel, the slide's strength included.
    glass
        RGB of clear glass.
    blur_px
        Blur of the optics, as a standard deviation.
    """

    haematoxylin: tuple[float, ...]
    dab: tuple[float, ...]
    glass: tuple[float, ...]
    blur_px: float


def random_stain(rng: np.random.Generator) -> Stain:
    """A slide's stain, somewhat different from every other's."""

    def vector(base: Sequence[float], low: float, high: float) -> tuple[float, ...]:
        jittered = np.array(base) + rng.normal(0, 0.011, 3)
        unit = jittered / np.linalg.norm(jittered)
        return tuple(float(x) for x in unit * rng.uniform(low, high))

    return Stain(
        vector(HAEMATOXYLIN, 0.85, 1.2),
        vector(DAB, 0.85, 1.15),
        tuple(float(x) for x in np.array(GLASS) + rng.normal(0, 0.8, 3)),
        float(rng.uniform(0.55, 0.8)),
    )


def transmittance(
    haematoxylin: NDArray[np.float32], dab: NDArray[np.float32], stain: Stain
) -> NDArray[np.float32]:
    """Share of light that the stains let through, (height, width, 3), blurred by the optics.

    It is exactly 1 away from all stain, so that glass laid over with it stays as it was.
    """
    to_rgb = -np.log(10) * np.array([stain.haematoxylin, stain.dab]).T
    amounts = cv2.merge([haematoxylin, dab])
    light = cv2.exp(cv2.transform(amounts, to_rgb.astype(np.float32)))
    blurred = cv2.GaussianBlur(light, (0, 0), stain.blur_px)
    return np.minimum(np.asarray(blurred, dtype=np.float32), 1)
