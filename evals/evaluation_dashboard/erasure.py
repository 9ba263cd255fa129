"""Erasing the page of the dashboard where it may show something of a document."""

from pathlib import Path

from evals.golden_questions.erasure import phrases_of
from rag_assets.erasure.base import Erased, Found, Subject
from rag_assets.erasure.redaction import plain
from rag_assets.platform.platform import Platform
from rag_assets.platform.wording import counted

FOLDER = "dashboard"
RENEWED = "The dashboard was removed; materialize evaluation_dashboard to have it again."
ELSEWHERE = "Pages of the dashboard that somebody saved elsewhere are out of reach."


class DashboardEraser:
    """Removes the page as a whole: what it shows is made again from the evaluations that are left."""

    place = "dashboard"

    def find(self, platform: Platform, subject: Subject) -> Found:
        """Count the files that name the document or repeat it."""
        files = _files(platform)
        found = [path for path in files if _shows(path, subject)]
        return Found(counted(len(files), "file"), len(found))

    def erase(self, platform: Platform, subject: Subject) -> Erased:
        """Remove the page if any of its files does."""
        with platform.lock("dashboard", doing="erasing the dashboard", timeout=120.0):
            files = _files(platform)
            if not any(_shows(path, subject) for path in files):
                return Erased(0, (ELSEWHERE,) if files else ())
            for path in files:
                path.unlink(missing_ok=True)
        return Erased(len(files), (RENEWED, ELSEWHERE))


def _files(platform: Platform) -> list[Path]:
    folder = platform.state_path / FOLDER
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _shows(path: Path, subject: Subject) -> bool:
    text = path.read_text(encoding="utf-8", errors="replace")
    if subject.document_id in text:
        return True
    # its data is JSON inside a script: escapes of JSON are undone before phrases are looked for
    undone = plain(text.replace("\\n", " ").replace('\\"', '"').replace("\\/", "/"))
    return phrases_of(subject).has(undone)
