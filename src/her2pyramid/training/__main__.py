"""One process of several that train together: python -m her2pyramid.training JOB.json."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from her2pyramid.errors import Her2PyramidError
from her2pyramid.training.job import TrainingJob
from her2pyramid.training.loop import train
from her2pyramid.training.processes import join_node


def main(path: str) -> None:
    """Train as a job file says."""
    join_node()
    first = all(os.environ.get(name, "0") == "0" for name in ("NODE_RANK", "LOCAL_RANK"))
    logging.basicConfig(format="%(message)s")
    logging.getLogger("her2pyramid").setLevel(logging.INFO if first else logging.ERROR)
    try:
        train(TrainingJob.model_validate_json(Path(path).read_text(encoding="utf-8")))
    except Her2PyramidError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None
    except RuntimeError as error:
        if "Connection closed by peer" not in str(error):
            raise
        print("another process of training ended, and so does this one", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main(sys.argv[1])
