"""OME-Zarr slides for tests, written with zarr alone."""

from __future__ import annotations

import zarr


def axes_of(order, unit="micrometer"):
    kinds = {"t": "time", "c": "channel"}
    return [
        {"name": name, "type": kinds.get(name, "space")}
        | ({"unit": unit} if name in "zyx" and unit else {})
        for name in order
    ]


def arranged(pixels, order):
    """(y, x, c) pixels in another order of axes."""
    letters = [name for name in order if name in "yxc"]
    moved = pixels.transpose(["yxc".index(name) for name in letters])
    return moved[tuple(slice(None) if name in letters else None for name in order)]


def write_zarr(path, levels, order="cyx", *, zarr_format=3, chunk=64, unit="micrometer", **about):
    """Write a pyramid of (y, x, c) arrays.

    `about` holds options of the arrays (`array`), of the image's metadata (`image`) and the omero
    metadata (`omero`).
    """
    group = zarr.create_group(path, zarr_format=zarr_format)
    datasets = []
    for number, pixels in enumerate(levels):
        data = arranged(pixels, order)
        chunks = tuple(chunk if name in "yx" else 1 for name in order)
        options = about.get("array", {})
        array = group.create_array(
            str(number), shape=data.shape, dtype=data.dtype, **{"chunks": chunks} | options
        )
        array[:] = data
        scale = [0.25 * 2**number if name in "yx" else 1.0 for name in order]
        scaling = {"type": "scale", "scale": scale}
        datasets.append({"path": str(number), "coordinateTransformations": [scaling]})
    multiscales = [{"axes": axes_of(order, unit), "datasets": datasets} | about.get("image", {})]
    omero = {"omero": about["omero"]} if "omero" in about else {}
    if zarr_format == 3:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales} | omero
    else:
        group.attrs.update({"multiscales": [multiscales[0] | {"version": "0.4"}]} | omero)
    return path
