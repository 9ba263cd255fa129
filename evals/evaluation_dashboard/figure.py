"""A figure of the page: what is drawn, what it says, and the numbers behind it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .theme import HEIGHT, LIGHT, vega_config

# the size of a picture in the Dagster UI
PICTURE_WIDTH = 640
PICTURE_COLOURS = 64


@dataclass(frozen=True)
class Choice:
    """Something a reader chooses in a figure.

    Attributes:
        parameter: of the specification.
        label: what is chosen.
        values: what can be; the first is what is shown at first.
    """

    parameter: str
    label: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        name: unique on the page.
        title: what is drawn.
        caption: how to read it.
        about: ``releases`` or ``days``.
        empty: what to do where there is nothing to draw.
        chart: the specification in Vega-Lite; None where there is nothing to draw.
        columns: of the numbers: name of the row's field → heading.
        rows: the numbers that are drawn, by the names of the columns.
        choices: what a reader chooses in it.
        filtered: whether the page's filters by set and tag hold for it.
    """

    name: str
    title: str
    caption: str
    about: str
    empty: str
    chart: Mapping[str, Any] | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    rows: Sequence[Mapping[str, Any]] = ()
    choices: tuple[Choice, ...] = ()
    filtered: bool = False


def specification(chart: Any) -> dict[str, Any]:
    """The specification of an altair chart that is as wide as its place on the page."""
    found: dict[str, Any] = chart.properties(width="container", height=HEIGHT).to_dict()
    found.pop("config", None)  # the page has its own, light and dark
    return found


def picture(figure: Figure) -> bytes:
    """A figure as PNG, in light colours, without a browser.

    Raises:
        ValueError: there is nothing to draw.
    """
    import io
    import json

    import vl_convert
    from PIL import Image

    if figure.chart is None:
        raise ValueError(f"nothing to draw in {figure.name}")
    chart = {**figure.chart, "width": PICTURE_WIDTH}
    data: bytes = vl_convert.vegalite_to_png(
        json.dumps(chart), config=vega_config(LIGHT), scale=1.0, ppi=72
    )
    drawn, small = Image.open(io.BytesIO(data)).convert("RGB"), io.BytesIO()
    # few colours are enough and take a tenth of the bytes, which every event keeps
    drawn.quantize(PICTURE_COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()
