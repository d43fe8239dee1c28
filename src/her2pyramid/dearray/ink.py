"""Pen, dye and dirt, told from stained tissue by colour."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.color import hdx_from_rgb

INK_OD: Final = 0.12
"""Length of the optical density vector from which a pixel has a colour to speak of."""

BLACK_OD: Final = 0.7
"""Least optical density, over the channels, of black ink..."""

BLACK_EVENNESS: Final = 0.8
"""... and the least as a share of the greatest: both stains let red light through."""

BEYOND_STAINS: Final = (-0.5, -0.2)
"""Least share of haematoxylin and of DAB in a colour: yellow and blue inks hold less."""

BESIDE_STAINS: Final = (-0.415, 0.58)
"""How far a colour may lie beside all mixtures of both, to the red and to the green side."""


def unmix(density: NDArray[np.float32]) -> NDArray[np.float32]:
    """Amounts of haematoxylin and DAB, and how far a colour lies beside all mixtures of both.

    The stains are those of Ruifrok and Johnston (2001), by scikit-image, whose own
    separate_stains clips what no mixture has: just that tells ink.

    Parameters
    ----------
    density
        (height, width, 3) float32 optical density.

    Returns
    -------
    (height, width, 3) float32: haematoxylin, DAB, and the rest (red below 0, green above).
    """
    return np.asarray(density @ hdx_from_rgb.astype(np.float32), dtype=np.float32)


def coloured_ink(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where a colour is none that haematoxylin and DAB mix to.

    Parameters
    ----------
    density
        (height, width, 3) float32 optical density.

    Returns
    -------
    (height, width) bool.
    """
    length = np.sqrt(np.einsum("yxc,yxc->yx", density, density))
    shares = unmix(density) / np.maximum(length, 1e-3)[..., None]
    other = (shares[..., 0] < BEYOND_STAINS[0]) | (shares[..., 1] < BEYOND_STAINS[1])
    other |= (shares[..., 2] < BESIDE_STAINS[0]) | (shares[..., 2] > BESIDE_STAINS[1])
    return np.asarray((length > INK_OD) & other)


def black_ink(density: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where light of all colours is absorbed alike; as :func:`coloured_ink`."""
    least = density.min(axis=2)
    return np.asarray((least > BLACK_OD) & (least > BLACK_EVENNESS * density.max(axis=2)))
