#!/usr/bin/env bash
# Snakemake runs this in the new conda environment, from the workflow's folder.
set -euo pipefail
python -m pip install --quiet --no-deps --no-build-isolation .
