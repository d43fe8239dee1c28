"""Overviews of the demo's slides with their labels, for `dearray.py`.

    python benchmarks/demo_overviews.py DEMO_DIR OUT_DIR

DEMO_DIR is results/demo, which `make run` fills.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import pandas as pd

from her2pyramid.dearray.align import row_number
from her2pyramid.dearray.contrast import read_overview
from her2pyramid.slides.opening import open_slide, resolve_mpp


def main() -> None:
    """Write the overviews."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("demo_dir", type=Path)
    parser.add_argument("out_dir", type=Path)
    wanted = parser.parse_args()
    wanted.out_dir.mkdir(parents=True, exist_ok=True)
    truth = pd.read_csv(wanted.demo_dir / "truth.csv")
    for slide_id, cores in truth[truth["status"] != "missing"].groupby("slide_id"):
        path = wanted.demo_dir / f"{slide_id}.tif"
        with open_slide(path) as slide:
            mpp = resolve_mpp(slide, None, slide_id=str(slide_id), table="slides.tsv")
            overview, downsample = read_overview(slide, mpp)
        labels = [
            {
                "x": (float(core["x"]) + 0.5) / downsample - 0.5,
                "y": (float(core["y"]) + 0.5) / downsample - 0.5,
                "radius": float(core["radius"]) / downsample,
                "row": row_number(str(core["row"])),
                "col": int(core["col"]) - 1,
            }
            for core in cores.to_dict("records")
        ]
        name = wanted.out_dir / f"{slide_id}.png"
        cv2.imwrite(str(name), overview[..., ::-1])
        name.with_suffix(".json").write_text(json.dumps(labels))


if __name__ == "__main__":
    main()
