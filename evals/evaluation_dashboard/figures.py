"""All figures of the dashboard, in the order of the page."""

from .daily_figures import daily_figures
from .data import DashboardData
from .figure import Figure
from .live_figures import live_figures
from .release_figures import release_figures


def figures(data: DashboardData) -> list[Figure]:
    """Every figure; one without data says what to do instead."""
    return [*release_figures(data), *live_figures(data), *daily_figures(data)]
