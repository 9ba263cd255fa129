"""The page: what is known, put into HTML by templates that escape whatever they are given.

The texts of questions, sets and tags are written by anybody. They reach the page as text of the
template or as JSON, never as markup; the policy in the page's head allows no script but its own.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .bundle import vega_bundle
from .data import DashboardData
from .figure import Figure
from .figures import figures
from .findings import WORDS, Finding, findings
from .summary import release_rows, tiles
from .theme import DARK, LIGHT, vega_config

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).with_name("templates")
INDEX = "index.html"
# nothing is loaded from anywhere and nothing is sent
POLICY = "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'"


@dataclass(frozen=True)
class Page:
    """The dashboard, ready to be written.

    Attributes:
        data: what it shows.
        figures: in the order of the page.
        findings: the worst first.
    """

    data: DashboardData
    figures: Sequence[Figure]
    findings: Sequence[Finding]

    @cached_property
    def scripts(self) -> dict[str, str]:
        """The scripts by name, in the order in which they run."""
        return {
            "dashboard": (TEMPLATES / "dashboard.js").read_text(encoding="utf-8"),
            "data": f"window.raglineDashboard = {_json(self._drawn())};\n",
            "vega": vega_bundle(),
        }

    @cached_property
    def style(self) -> str:
        """The style sheet."""
        return (TEMPLATES / "dashboard.css").read_text(encoding="utf-8")

    def folder(self) -> dict[str, str]:
        """The page as several files: name → content; every one but the index is named by its content."""
        files = {_named(name, "js", text): text for name, text in self.scripts.items()}
        style = _named("dashboard", "css", self.style)
        index = self._render(
            scripts=[{"source": name} for name in files],
            style={"source": style},
            policy=f"{POLICY}; script-src 'self' file:; style-src 'self' file:",
        )
        return {**files, style: self.style, INDEX: index}

    def single_file(self) -> str:
        """The page as one file that needs nothing else."""
        scripts = {name: _inline(text) for name, text in self.scripts.items()}
        allowed = " ".join(_source_hash(text) for text in scripts.values())
        return self._render(
            scripts=[{"text": text} for text in scripts.values()],
            style={"text": self.style},
            policy=f"{POLICY}; script-src {allowed}; style-src {_source_hash(self.style)}",
        )

    def _drawn(self) -> dict[str, Any]:
        """What the script needs: the figures, and the colours of both themes."""
        return {
            "themes": {"light": vega_config(LIGHT), "dark": vega_config(DARK)},
            "figures": {
                figure.name: {
                    "chart": figure.chart,
                    "columns": figure.columns,
                    "rows": [[row.get(name) for name in figure.columns] for row in figure.rows],
                    "filtered": figure.filtered,
                }
                for figure in self.figures
                if figure.chart is not None
            },
        }

    def _render(self, **values: Any) -> str:
        data = self.data
        sets = {*data.retrieval["dataset"], *data.answers["dataset"]}
        tags = {*data.retrieval["tag"], *data.answers["tag"]} - {""}
        template = _environment().get_template("index.html.jinja")
        return template.render(
            data=data,
            tiles=tiles(data),
            findings=self.findings,
            words=WORDS,
            figures=self.figures,
            sets=sorted(sets),
            tags=sorted(tags),
            regressed=data.regressed.to_dicts(),
            regressed_releases=data.regressed["release"].unique().sort(descending=True).to_list(),
            releases=release_rows(data),
            **values,
        )


def page_of(data: DashboardData) -> Page:
    """The page that shows some data."""
    return Page(data, figures(data), findings(data))


def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _json(value: Any) -> str:
    """JSON that stays JSON inside a script element, whatever its texts say."""
    text = json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=str
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _inline(script: str) -> str:
    """A script that does not end its element early; only strings of it can contain these."""
    return script.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _named(name: str, ending: str, text: str) -> str:
    return f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}.{ending}"


def _source_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
