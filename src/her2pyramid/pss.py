"""Pyramid sampling: which patches make up PSS i of core c, and the gathering of their pixels.

A pyramid-sampling set (PSS) is a stack of patches of one core: some at full resolution, some
downsampled, and the whole core resized to one patch; RGB triples along the channel axis, in that
order (Selcuk et al., Methods, "Pyramid sampling strategy").

Positions are a pure function of (seed, stream, core_id, PSS index): nothing else, neither batch
nor worker nor order nor device, can change them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Final, Literal, Protocol, Self

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from her2pyramid.errors import Her2PyramidError

Stream = Literal["train", "val", "inference"]
"""Separate streams of random positions, so that no PSS seen in training is met again."""

TISSUE_OD: Final = 0.06
"""Optical density above the background from which a pixel counts as tissue."""


class PatchLevel(BaseModel):
    """Patches taken from one level of the pyramid."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    downsample: Annotated[int, Field(ge=1, description="1 is full resolution; a power of two")]
    count: Annotated[int, Field(ge=1, description="patches from this level")]

    @model_validator(mode="after")
    def _power_of_two(self) -> Self:
        if self.downsample & (self.downsample - 1):
            raise ValueError(f"downsample {self.downsample} is no power of two")
        return self

    @property
    def level(self) -> int:
        """Index of the stored pyramid level."""
        return self.downsample.bit_length() - 1


class PssSpec(BaseModel):
    """What a PSS is made of. The defaults are the paper's: 40 + 10 + 1 patches of 512 px."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    patch_px: Annotated[int, Field(ge=32, description="side of every patch, in its own pixels")] = (
        512
    )
    levels: Annotated[tuple[PatchLevel, ...], Field(description="which patches, in order")] = (
        PatchLevel(downsample=1, count=40),
        PatchLevel(downsample=2, count=10),
    )
    whole_core: Annotated[bool, Field(description="end with the whole core as one patch")] = True
    grid_px: Annotated[
        int, Field(ge=1, description="patches begin on multiples of this many pixels")
    ] = 1
    min_tissue: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="smallest share of tissue in a patch; 0 is no filter",
        ),
    ] = 0.0
    max_tries: Annotated[
        int,
        Field(ge=1, le=100, description="positions tried for a patch with enough tissue"),
    ] = 10

    @model_validator(mode="after")
    def _not_empty(self) -> Self:
        if self.n_patches == 0:
            raise ValueError("a PSS needs at least one patch")
        return self

    @property
    def n_patches(self) -> int:
        """Patches in a PSS, the whole core included."""
        return sum(level.count for level in self.levels) + self.whole_core

    @property
    def n_channels(self) -> int:
        """Channels of a PSS: three a patch."""
        return 3 * self.n_patches


class Pixels(Protocol):
    """A core's pyramid, on disk or in memory: see :class:`her2pyramid.cores.CoreStore`."""

    @property
    def core_id(self) -> str: ...  # noqa: D102

    @property
    def stored_levels(self) -> list[int]: ...  # noqa: D102

    def side_px(self, level: int = 0) -> int: ...  # noqa: D102

    def read_patches(  # noqa: D102
        self, level: int, places: NDArray[np.int64], out: NDArray[np.uint8]
    ) -> None: ...

    def decode(self, level: int, *, threads: int = 1) -> NDArray[np.uint8]: ...  # noqa: D102


@dataclass(frozen=True)
class DecodedCore:
    """The levels of a core that sampling needs, in memory.

    Attributes
    ----------
    core_id
        The core.
    levels
        Level index to (3, side, side) uint8.
    """

    core_id: str
    levels: Mapping[int, NDArray[np.uint8]]

    @property
    def stored_levels(self) -> list[int]:
        """The levels in memory, finest first."""
        return sorted(self.levels)

    def side_px(self, level: int = 0) -> int:
        """Side of the square picture at a level."""
        return int(self.levels[level].shape[1])

    def read_patches(self, level: int, places: NDArray[np.int64], out: NDArray[np.uint8]) -> None:
        """Copy regions of one size of a level, (count, 2) top and left, into `out`."""
        height, width = out.shape[2:]
        picture = self.levels[level]
        for i, (top, left) in enumerate(places.tolist()):
            out[i] = picture[:, top : top + height, left : left + width]

    def decode(self, level: int, *, threads: int = 1) -> NDArray[np.uint8]:
        """A whole level: (3, side, side) uint8."""
        return self.levels[level]


def decode_core(core: Pixels, spec: PssSpec, *, threads: int = 1) -> DecodedCore:
    """Read into memory the levels of a core that PSSs are gathered from, each once."""
    check_core(core, spec)
    wanted = {level.level for level in spec.levels}
    wanted.add(_whole_core_level(core, spec))
    return DecodedCore(
        core.core_id, {level: core.decode(level, threads=threads) for level in sorted(wanted)}
    )


def decoded_bytes(core: Pixels, spec: PssSpec) -> int:
    """Memory that a decoded core takes."""
    wanted = {level.level for level in spec.levels} | {_whole_core_level(core, spec)}
    return sum(3 * core.side_px(level) ** 2 for level in wanted)


def check_core(core: Pixels, spec: PssSpec) -> None:
    """Check that a core is large enough for a specification.

    Raises
    ------
    Her2PyramidError
        If a level isn't stored or is smaller than a patch.
    """
    for level in spec.levels:
        stored = level.level in core.stored_levels
        if not stored or core.side_px(level.level) < spec.patch_px:
            side = f"{core.side_px(level.level)} px wide" if stored else "not stored"
            raise Her2PyramidError(
                f"core {core.core_id}: the {level.downsample}x downsampled picture is {side}, "
                f"too small for a patch of {spec.patch_px} px",
                remedy="choose a smaller pss.patch_px or downsample; if the level isn't stored, "
                "a smaller crop.smallest_level_px",
            )


def positions(
    core: Pixels,
    spec: PssSpec,
    *,
    seed: int,
    stream: Stream,
    pss: int,
    tissue: NDArray[np.bool_] | None = None,
) -> list[NDArray[np.int64]]:
    """Where the patches of one PSS lie.

    Uniform over the square crop, independent of one another, overlap allowed.

    Parameters
    ----------
    core
        Only its id and sizes matter.
    spec
        What a PSS is made of.
    seed, stream, pss
        Which PSS of the core.
    tissue
        Where the core has tissue (any size; see :func:`tissue_mask`), needed if
        `spec.min_tissue` is above 0. Of `spec.max_tries` positions the first with enough tissue
        is taken, else the one with most.

    Returns
    -------
    One (count, 2) array a level of the specification: top and left, in pixels of that level.
    """
    tries = spec.max_tries if spec.min_tissue > 0 else 1
    total = sum(level.count for level in spec.levels) * tries * 2
    uniform = _uniform(total, seed=seed, stream=stream, core_id=core.core_id, pss=pss)
    out, used = [], 0
    for level in spec.levels:
        side = core.side_px(level.level)
        steps = (side - spec.patch_px) // spec.grid_px + 1
        n = level.count * tries * 2
        drawn = np.floor(uniform[used : used + n] * steps).astype(np.int64) * spec.grid_px
        used += n
        candidates = drawn.reshape(level.count, tries, 2)
        if tries == 1:
            out.append(candidates[:, 0])
            continue
        if tissue is None:
            raise ValueError("spec.min_tissue needs a tissue mask")
        share = _tissue_share(tissue, candidates, spec.patch_px, side)
        enough = share >= spec.min_tissue
        chosen = np.where(enough.any(1), enough.argmax(1), share.argmax(1))
        out.append(candidates[np.arange(level.count), chosen])
    return out


class PssSampler:
    """Draws the PSSs of one core, on disk or in memory: the same pixels from either.

    Parameters
    ----------
    core
        Where the pixels are.
    spec, seed, stream
        What a PSS is made of, and which stream of positions.

    Attributes
    ----------
    core, spec
        As given.
    whole
        The whole core as one patch, the same in all PSSs; None if the specification has none.

    Raises
    ------
    Her2PyramidError
        If the core is too small for the specification, or its pixels are damaged.
    """

    def __init__(self, core: Pixels, spec: PssSpec, *, seed: int, stream: Stream) -> None:
        check_core(core, spec)
        self.core = core
        self.spec = spec
        self.whole = whole_core_picture(core, spec)
        self._tissue = tissue_of(core, spec)
        self._seed = seed
        self._stream: Stream = stream

    def positions(self, pss: int) -> list[NDArray[np.int64]]:
        """Where the patches of a PSS lie: see :func:`positions`."""
        return positions(
            self.core,
            self.spec,
            seed=self._seed,
            stream=self._stream,
            pss=pss,
            tissue=self._tissue,
        )

    def draw(self, pss: int, out: NDArray[np.uint8] | None = None) -> NDArray[np.uint8]:
        """The pixels of a PSS: see :func:`gather`."""
        return gather(self.core, self.spec, self.positions(pss), self.whole, out)


def gather(
    core: Pixels,
    spec: PssSpec,
    where: list[NDArray[np.int64]],
    whole: NDArray[np.uint8] | None,
    out: NDArray[np.uint8] | None = None,
) -> NDArray[np.uint8]:
    """The pixels of one PSS.

    Parameters
    ----------
    core, spec
        The core and what a PSS is made of.
    where
        From :func:`positions`.
    whole
        From :func:`whole_core_picture`, the same for every PSS of the core; None if the
        specification has no whole core.
    out
        Filled if given: fresh memory for every PSS costs more than the copying.

    Returns
    -------
    (channels, patch_px, patch_px) uint8.
    """
    size = spec.patch_px
    if out is None:
        out = np.empty((spec.n_channels, size, size), np.uint8)
    patches = out.reshape(spec.n_patches, 3, size, size)
    first = 0
    for level, places in zip(spec.levels, where, strict=True):
        core.read_patches(level.level, places, patches[first : first + level.count])
        first += level.count
    if spec.whole_core:
        if whole is None:
            raise ValueError("the specification asks for the whole core")
        patches[first] = whole
    return out


def whole_core_picture(core: Pixels, spec: PssSpec) -> NDArray[np.uint8] | None:
    """The whole core resized to one patch by area: (3, patch_px, patch_px); None if not asked for.

    It starts from the smallest stored level that isn't smaller than a patch: levels are area
    means, so this is the area mean of full resolution up to rounding.
    """
    if not spec.whole_core:
        return None
    picture = np.moveaxis(core.decode(_whole_core_level(core, spec)), 0, 2)
    size = (spec.patch_px, spec.patch_px)
    small = cv2.resize(np.ascontiguousarray(picture), size, interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.moveaxis(small, 2, 0), dtype=np.uint8)


def tissue_of(core: Pixels, spec: PssSpec) -> NDArray[np.bool_] | None:
    """The tissue mask that :func:`positions` needs; None if the specification has no filter."""
    if spec.min_tissue == 0:
        return None
    return tissue_mask(core.decode(_whole_core_level(core, spec)))


def tissue_mask(picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a picture, (3, height, width), has tissue: optical density above the background's."""
    background = np.percentile(picture.reshape(3, -1), 99, axis=1)
    density = np.log10(np.maximum(background, 1))[:, None, None] - np.log10(
        np.maximum(picture, 1).astype(np.float32)
    )
    return np.asarray(density.max(0) > TISSUE_OD)


def _whole_core_level(core: Pixels, spec: PssSpec) -> int:
    fine = [level for level in core.stored_levels if core.side_px(level) >= spec.patch_px]
    return fine[-1] if fine else core.stored_levels[0]


def _uniform(
    count: int, *, seed: int, stream: Stream, core_id: str, pss: int
) -> NDArray[np.float64]:
    """Uniform numbers in [0, 1) that depend on the arguments alone.

    Philox is a counter-based generator: the key names the core's stream, the counter's second
    word the PSS, so any PSS is reached without drawing those before it. Raw 64-bit words are
    scaled here, since NumPy promises the words of a bit generator to stay the same, but not what
    its Generator makes of them.
    """
    name = f"{seed}\0{stream}\0{core_id}".encode()
    key = int.from_bytes(hashlib.blake2b(name, digest_size=16).digest(), "little")
    words = np.random.Philox(key=key, counter=pss << 64).random_raw(count)
    return np.asarray((words >> np.uint64(11)) * 2.0**-53)


def _tissue_share(
    tissue: NDArray[np.bool_],
    candidates: NDArray[np.int64],
    patch_px: int,
    side_px: int,
) -> NDArray[np.float64]:
    """Share of tissue in each candidate patch, from the mask's integral picture."""
    scale = tissue.shape[0] / side_px
    integral = cv2.integral(tissue.astype(np.uint8))
    low = np.floor(candidates * scale).astype(int)
    high = np.maximum(np.ceil((candidates + patch_px) * scale).astype(int), low + 1)
    high = np.minimum(high, tissue.shape[0])
    low = np.minimum(low, high - 1)
    (top, left), (bottom, right) = np.moveaxis(low, -1, 0), np.moveaxis(high, -1, 0)
    inside = (
        integral[bottom, right]
        - integral[top, right]
        - integral[bottom, left]
        + integral[top, left]
    )
    return np.asarray(inside / ((bottom - top) * (right - left)))
