"""The interface that every reader of a slide format has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from her2pyramid.errors import Her2PyramidError

BACKGROUND: Final = 255
"""Grey value of a place where nothing was scanned: clear glass."""

PLAUSIBLE_MPP: Final = (0.05, 20.0)
"""Microns per pixel that a scan can have; anything else in a file is a default, not a fact."""


class WrongFormatError(Exception):
    """A reader's word that a file isn't for it, so that another reader is asked."""


class Slide(ABC):
    """One brightfield RGB slide: a pyramid of levels, level 0 the finest.

    Attributes
    ----------
    path
        The file or folder.
    level_sizes
        (width, height) of each level in pixels of that level.
    mpp
        Microns per pixel at level 0, None if the file doesn't state it.
    """

    path: Path
    level_sizes: Sequence[tuple[int, int]]
    mpp: float | None

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of level 0."""
        return self.level_sizes[0]

    def downsample(self, level: int) -> float:
        """How many level-0 pixels one pixel of this level spans."""
        return self.level_sizes[0][0] / self.level_sizes[level][0]

    def level_for(self, downsample: float) -> int:
        """The coarsest level that is at least as fine as a downsample."""
        fine = [i for i in range(len(self.level_sizes)) if self.downsample(i) <= downsample * 1.01]
        return fine[-1]

    def read(self, level: int, x: int, y: int, width: int, height: int) -> NDArray[np.uint8]:
        """Read a region.

        Parameters
        ----------
        level
            Pyramid level.
        x, y, width, height
            The region in pixels of that level. It may reach beyond the slide, where it is
            background.

        Returns
        -------
        (height, width, 3) uint8, RGB.

        Raises
        ------
        Her2PyramidError
            If the file can't be decoded there.
        """
        level_width, level_height = self.level_sizes[level]
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + width, level_width), min(y + height, level_height)
        if x0 >= x1 or y0 >= y1:
            return np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        try:
            region = self._read_inside(level, x0, y0, x1 - x0, y1 - y0)
        except Her2PyramidError:
            raise
        except Exception as error:  # decoders raise all sorts of things
            raise Her2PyramidError(
                f"the region at x {x0}, y {y0} of level {level} can't be decoded: {error}",
                where=self.path,
                remedy="the file is damaged: copy it from the scanner again",
            ) from error
        if region.shape == (height, width, 3):
            return np.ascontiguousarray(region)
        out = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
        out[y0 - y : y1 - y, x0 - x : x1 - x] = region
        return out

    @abstractmethod
    def _read_inside(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> NDArray[np.uint8]: ...

    @abstractmethod
    def close(self) -> None:
        """Close the file."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def plausible_mpp(mpp: float) -> float | None:
    """A stated mpp, if it can be a fact."""
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
