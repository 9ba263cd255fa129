"""The colours of the figures, light and dark; the page's own are in ``templates/dashboard.css``.

Every text and line reaches a contrast of 4.5 and every mark of 3 against its background (WCAG 2.2,
criteria 1.4.3 and 1.4.11).
"""

from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
HEIGHT = 220
MARKER_RULE, MARKER_LABEL, LIMIT = "marker-rule", "marker-label", "limit"

LIGHT = {
    "background": "#ffffff",
    "text": "#1c2733",
    "quiet": "#526070",
    "grid": "#e6eaef",
    "series": ["#1666c0", "#b84a00", "#0b7a5f", "#7a3fc4", "#b3245f", "#6b6100"],
}
DARK = {
    "background": "#171d26",
    "text": "#e7ecf2",
    "quiet": "#a4b0be",
    "grid": "#2b3441",
    "series": ["#6cb0ff", "#ff9d57", "#44d1aa", "#c09cf7", "#ff85b3", "#d4c84a"],
}


def vega_config(colours: dict[str, Any]) -> dict[str, Any]:
    """The configuration of Vega-Lite for ``LIGHT`` or ``DARK``."""
    text, quiet = colours["text"], colours["quiet"]
    return {
        "background": colours["background"],
        "font": FONT,
        "view": {"stroke": None},
        "axis": {
            "labelColor": quiet,
            "titleColor": quiet,
            "titleFontWeight": "normal",
            "gridColor": colours["grid"],
            "domainColor": colours["grid"],
            "tickColor": colours["grid"],
            "labelFontSize": 11,
            "titleFontSize": 11,
        },
        "axisX": {"grid": False, "labelOverlap": True},
        "legend": {
            "orient": "top",
            "title": None,
            "labelColor": text,
            "labelFontSize": 12,
            "labelLimit": 220,
            "columns": {"expr": "width < 420 ? 2 : 4"},
            "symbolStrokeWidth": 2,
            "symbolOpacity": 1,
        },
        "range": {"category": colours["series"]},
        "mark": {"color": colours["series"][0]},
        "line": {"strokeWidth": 2},
        "style": {
            MARKER_RULE: {"color": quiet, "strokeDash": [2, 4], "opacity": 0.7},
            MARKER_LABEL: {"color": quiet, "fontSize": 10, "baseline": "bottom"},
            LIMIT: {"color": text, "strokeDash": [6, 3]},
        },
    }
