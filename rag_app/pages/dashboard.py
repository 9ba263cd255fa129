"""The evaluation dashboard as it lies in the state folder, and who may see it."""

import re
from dataclasses import dataclass
from pathlib import Path

from rag_app.access.errors import Unauthorized
from rag_app.access.principal import RELEASES
from rag_app.service.services import Services

COOKIE = "ragline-evals"
SESSION_SECONDS = 3600
# what the dashboard is made of; see evals/evaluation_dashboard/export.py
NAMES = re.compile(r"index\.html|[a-z]+-[0-9a-f]{12}\.(js|css)")
MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}


@dataclass(frozen=True)
class DashboardFile:
    """One file of the dashboard."""

    content: bytes
    media_type: str


def may_see(services: Services, key: str) -> bool:
    """Whether the dashboard is shown: it names questions, which are for those who keep them.

    Args:
        services: of the process.
        key: that the browser's cookie holds; empty without one.
    """
    try:
        principal = services.authenticator.principal(f"Bearer {key}" if key else None)
    except Unauthorized:
        return False
    return principal.allows(RELEASES)


def dashboard_file(folder: Path, name: str) -> DashboardFile | None:
    """Read a file of the dashboard; None where there is none of that name."""
    if not NAMES.fullmatch(name):
        return None
    try:
        content = (folder / name).read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return DashboardFile(content, MEDIA_TYPES[Path(name).suffix])
