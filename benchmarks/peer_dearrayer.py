"""Run the package dearrayer on one picture; `dearray.py` calls this in an environment with it.

    python peer_dearrayer.py PICTURE DIAMETER_PX ROWS COLUMNS

Prints a JSON list of x, y (pixels of the picture), row, column of the cores it detected.
"""

import json
import sys

import cv2
from dearrayer.models import GridCell, TissueMicroarray
from dearrayer.services import GridDetectingService, GridDetectingServiceParameters

picture, diameter, n_rows, n_cols = sys.argv[1], *map(int, sys.argv[2:5])

grey = cv2.imread(picture, cv2.IMREAD_GRAYSCALE)
assert grey is not None, f"{picture} is no picture"
image = cv2.bitwise_not(grey)  # it looks for bright tissue on a dark slide
rows, cols = [str(i) for i in range(n_rows)], [str(i) for i in range(n_cols)]
grid = GridDetectingService()(
    TissueMicroarray(image),
    GridDetectingServiceParameters(core_diameter=diameter, column_labels=cols, row_labels=rows),
)
side = max(image.shape)
print(
    json.dumps(
        [
            [
                core.position.x * side,
                core.position.y * side,
                int(cell.row_label),
                int(cell.col_label),
            ]
            for row in rows
            for col in cols
            if (core := grid.detected_cores.get(cell := GridCell(col_label=col, row_label=row)))
        ]
    )
)
