"""Prompts: a task's instructions, our rules, and passages that cannot leave their place.

A template ``<task>.jinja`` holds the instructions of a task and nothing else. The rules (how to
cite, that passages are data) and the form of the user's message are added here, so that a template
of somebody else cannot lose them. Templates may use ``question``, ``structured`` and ``no_answer``.
"""

import re
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import ConfigurationError
from rag_assets.query.answer import Passage

from .delimiters import Delimiters, begin_line, end_line, neutralise
from .no_answer import SENTENCE

if TYPE_CHECKING:
    from jinja2 import Environment

OURS = Path(__file__).with_name("templates")
RULES = "_rules"
CODE = "CODE"  # what stands for a passage's code in the rules
TASK = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


class PromptTemplates:
    """Renders the messages of a request; templates are read at their first use.

    Args:
        folder: templates that win over ours and may add tasks; empty for none.
        delimiters: enclose the passages; default: with a key of their own.
    """

    def __init__(self, folder: str = "", delimiters: Delimiters | None = None) -> None:
        self._delimiters = delimiters or Delimiters()
        self._folders = [Path(folder), OURS] if folder else [OURS]
        self._environment = _make_environment(self._folders)
        self._ours = _make_environment([OURS])

    def tasks(self) -> list[str]:
        """The tasks that have a template."""
        found = {path.stem for folder in self._folders for path in folder.glob("*.jinja")}
        return sorted(name for name in found if TASK.fullmatch(name))

    def check(self, task: str) -> None:
        """Render a task's template once.

        Raises:
            ConfigurationError: there is none, or it is broken.
        """
        self.render(task, "question", [])

    def render(
        self,
        task: str,
        question: str,
        passages: Sequence[Passage],
        *,
        structured: bool = False,
    ) -> list[dict[str, str]]:
        """Make the messages of one request.

        Args:
            task: the template's name.
            question: as it was asked.
            passages: numbered, in the order they are to be read.
            structured: ask for JSON by schema instead of text with markers.

        Returns:
            Two messages: the system's with the instructions, which are the same for every question
            unless the template uses it, and the user's with the passages and, after them, the question.

        Raises:
            ConfigurationError: there is no such template, or it is broken.
        """
        if not TASK.fullmatch(task):
            raise self._missing(task)
        values = {"structured": structured, "no_answer": SENTENCE}
        rules = {"begin": begin_line("n", CODE), "end": end_line("n", CODE), "code": CODE}
        instructions = self._render(
            self._environment, task, question=neutralise(question), **values
        )
        system = f"{instructions.strip()}\n\n{self._render(self._ours, RULES, **rules, **values)}"
        contents = [(passage.number, content_of(passage)) for passage in passages]
        blocks, asked = self._delimiters.enclose(contents, question)
        return [
            {"role": "system", "content": system},
            {"role": "user", "content": "\n\n".join([*blocks, f"Question: {asked}"])},
        ]

    def _render(self, environment: "Environment", name: str, **values: Any) -> str:
        from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

        try:
            return environment.get_template(f"{name}.jinja").render(**values)
        except TemplateNotFound as error:
            if error.name != f"{name}.jinja":
                raise self._broken(name, error) from error
            raise self._missing(name) from error
        except TemplateSyntaxError as error:
            raise self._broken(name, error, error.filename, error.lineno) from error
        except (
            *(TemplateError, TypeError, ValueError, ArithmeticError, LookupError),
            *(AttributeError, OSError),
        ) as error:
            raise self._broken(name, error) from error

    def _missing(self, task: str) -> ConfigurationError:
        places = " or ".join(str(folder / f"{task}.jinja") for folder in self._folders)
        return ConfigurationError(
            f"There is no prompt template for the task '{task}' ({places}).",
            f"Set query.task to one of {', '.join(self.tasks())}, or write that file.",
        )

    def _broken(
        self, task: str, error: Exception, file: str | None = None, line: int | None = None
    ) -> ConfigurationError:
        for frame in traceback.extract_tb(error.__traceback__):
            if line is None and frame.filename.endswith(".jinja"):
                file, line = frame.filename, frame.lineno
        where = f"{file}, line {line}" if file and line else self._file_of(task)
        reason = getattr(error, "message", None) or str(error)
        return ConfigurationError(
            f"The prompt template {where} is broken: {reason}.", "Correct that line."
        )

    def _file_of(self, task: str) -> str:
        files = [folder / f"{task}.jinja" for folder in self._folders]
        return str(next((file for file in files if file.exists()), files[0]))


def _make_environment(folders: Sequence[Path]) -> "Environment":
    """A sandbox: a template sees what it is given and can reach nothing else."""
    from jinja2 import FileSystemLoader, StrictUndefined
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(
        loader=FileSystemLoader(folders), undefined=StrictUndefined, autoescape=False
    )


def content_of(passage: Passage) -> str:
    """What the model reads of a passage: its title and place in the document, then its text."""
    hit = passage.hit
    lines = [f"Title: {_one_line(hit.title)}"] if hit.title.strip() else []
    if hit.heading_path:
        lines.append(f"Section: {_one_line(' > '.join(hit.heading_path))}")
    return "\n".join([*lines, passage.text])


def _one_line(text: str) -> str:
    return " ".join(text.split())
