"""What the demo cohort is like."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class DemoSpec(BaseModel):
    """The synthetic cohort. Sizes are those of a common tissue microarray, scanned at 20x."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: Annotated[int, Field(ge=0, description="of everything in the cohort")] = 1
    patients: Annotated[int, Field(ge=4, description="patients, each with two or three cores")] = 72
    rows: Annotated[int, Field(ge=2, le=26, description="rows of each array")] = 6
    cols: Annotated[int, Field(ge=2, description="columns of each array")] = 8
    mpp: Annotated[float, Field(gt=0, description="microns per pixel")] = 0.5
    core_diameter_um: Annotated[float, Field(gt=0, description="diameter of a core")] = 600.0
    pitch_um: Annotated[float, Field(gt=0, description="from core to core")] = 780.0
    missing_fraction: Annotated[
        float, Field(ge=0, lt=1, description="cores that the slide has lost")
    ] = 0.04
    torn_fraction: Annotated[float, Field(ge=0, lt=1, description="cores that are torn")] = 0.05
    rotation_deg: Annotated[
        float, Field(ge=-15, le=15, description="of the second slide's array; others about 1")
    ] = 5.0
    control_cores: Annotated[bool, Field(description="one core without a patient a slide")] = True
