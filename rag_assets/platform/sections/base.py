"""What every section of the settings is."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the settings; unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)
