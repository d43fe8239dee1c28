"""Ablations: what a PSS is made of, less a part. A network each is trained and scored on them."""

from __future__ import annotations

from her2pyramid.pss import PssSpec


def ablations(spec: PssSpec) -> dict[str, PssSpec]:
    """What the PSSs of each ablation are made of.

    "single_scale" is the patches of the first level alone, which with the defaults are the 40 at
    full resolution; they lie where those of the whole PSS lie. "whole_core" is the picture of the
    whole core alone.

    Parameters
    ----------
    spec
        What the network's PSSs are made of.

    Returns
    -------
    dict
        By name of the ablation, without any that comes to what the network sees, or to nothing.
    """
    found = {}
    if spec.levels:
        part = {"levels": spec.levels[:1], "whole_core": False}
        found["single_scale"] = spec.model_copy(update=part)
    found["whole_core"] = spec.model_copy(update={"levels": (), "whole_core": True})
    return {name: less for name, less in found.items() if less != spec}
