"""The protocol of splitters: a document's text in, spans of passages out.

A splitter is made by ``make_splitter(settings)`` with a light constructor; libraries and models
are loaded by the first ``split``. ``split(text, budget)`` returns a list of ``Span``:

* spans are character offsets into ``text`` (``text[span.start:span.end]`` is the passage), inside
  it, in order, and neither begin nor end with white space, so none is empty;
* spans do not overlap, unless the splitter declares ``overlaps`` and the budget asks for it;
* **coverage**: every character of the text that is not white space is in some span;
* **budget**: the text of every span alone has at most ``budget.max_tokens`` tokens. The context
  that is embedded with it (title, headings, a table's header row) gets what the text leaves, and is
  shortened to that; a splitter keeps ``budget.room(context)`` for the text, which is at least
  ``TEXT_SHARE`` of the budget however long the headings are;
* ``heading_path`` holds the titles of the headings above the passage, outermost first;
* **deterministic**: the same text and budget give the same spans, on every machine;
* **locally stable**, if the splitter declares ``stable``: an edit in one place changes only the
  passages near it, so that an edited document is re-embedded only there.

An empty or blank text gives no spans. Time is near linear in the length of the text, also for
megabytes without a space or a line break. One splitter may be used for many documents, by one
thread at a time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from .heading_context import context_lines

if TYPE_CHECKING:
    from rag_assets.encoders.tokenizer import TokenCounter

TEXT_SHARE = 0.6


class Span(NamedTuple):
    """One passage of a document.

    Attributes:
        start: offset of its first character.
        end: offset after its last character.
        heading_path: titles of the headings it stands under, outermost first.
        lead: a table's header row, when the passage holds rows of the table without it.
    """

    start: int
    end: int
    heading_path: tuple[str, ...] = ()
    lead: str = ""


@dataclass(frozen=True)
class Budget:
    """What a passage of one document may cost.

    Attributes:
        counter: counts tokens as the encoder sees them, special tokens left out.
        max_tokens: most tokens of what is embedded for one passage (context and text).
        overlap_tokens: tokens that neighbours share, for splitters that overlap.
        title: the document's title, part of the context.
        heading_context: whether title and headings are embedded with the text.
    """

    counter: "TokenCounter"
    max_tokens: int
    overlap_tokens: int = 0
    title: str = ""
    heading_context: bool = True

    def room(self, heading_path: tuple[str, ...], lead_tokens: int = 0) -> int:
        """The tokens that are left for the text of a passage under these headings."""
        if not self.heading_context:
            return self.max_tokens
        lines = context_lines(self.title, heading_path)
        context = lead_tokens + (self.counter.count("\n".join(lines)) if lines else 0)
        return self.max_tokens - min(context, self.max_tokens - self.least_room)

    @property
    def least_room(self) -> int:
        """The tokens that the text gets however long its context is."""
        return int(self.max_tokens * TEXT_SHARE)


class Splitter(Protocol):
    """See the module's docstring."""

    name: str
    overlaps: bool  # whether overlap_tokens has an effect
    stable: bool  # whether an edit changes only the passages near it

    def split(self, text: str, budget: Budget) -> list[Span]: ...
