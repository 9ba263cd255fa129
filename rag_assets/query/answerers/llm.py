"""The LLM answerer: any OpenAI-compatible server writes the answer from the passages."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from rag_assets.platform.settings import LLMSettings, QuerySettings
from rag_assets.query.answer import Passage
from rag_assets.query.context.sentence_cut import cut_to_fit

from .base import AnswererRefused, AnswerRequest, Draft, Token
from .client import Completion, LLMClient, Message
from .delimiters import WORD_JOINER, Delimiters
from .no_answer import settle_no_answer
from .prompts import PromptTemplates
from .structured import answer_schema, parse_answer
from .tokens import PromptTokens

MESSAGE_TOKENS = 8  # what chat templates put around a message, at most
SMALLEST_PASSAGE = 200  # characters: below it a passage is of no use


class LLMAnswerer:
    """See ``base``; made from the sections ``[llm]`` and ``[query]`` of the settings.

    Args:
        settings, query: the two sections.
        client: one that is shared with others, and with it what is known of the server.
        delimiters: enclose the passages; default: with a key of their own.

    Raises:
        ConfigurationError: ``llm.base_url`` is no http address.
    """

    def __init__(
        self,
        settings: LLMSettings,
        query: QuerySettings,
        client: LLMClient | None = None,
        delimiters: Delimiters | None = None,
    ) -> None:
        self.client = client or LLMClient(settings)
        self._note_name()
        self._settings = settings
        self._prompts = PromptTemplates(query.prompts_path, delimiters)
        self._tokens = PromptTokens(settings.tokenizer)

    def warm_up(self) -> None:
        """Ask the server for its model and window, and load the tokenizer."""
        self.client.model()
        self.client.context_window()
        self._note_name()
        self.count_tokens("")

    def count_tokens(self, text: str) -> int:
        """Tokens of a text by ``llm.tokenizer``, or a safe estimate."""
        return self._tokens.count(text)

    def answer(self, request: AnswerRequest) -> Generator[Token | Draft, None, None]:
        """See ``base``; passages that do not fit the model's window are left out, the last first.

        Raises:
            AnswererUnavailable, AnswererRefused: see ``LLMClient.stream``.
            ConfigurationError: no template for the task, or one that is broken; no model chosen.
        """
        window = self.client.context_window()
        max_tokens = min(self._settings.max_answer_tokens, max(1, window // 2))
        passages, messages = self._fit(request, window - max_tokens)
        try:
            yield from self._write(messages, max_tokens)
        except AnswererRefused as refusal:
            # nothing was said yet: a refused prompt has no tokens
            if refusal.kind != "prompt_too_long" or not passages:
                raise
            yield from self._write(self._messages(request, self._half(passages)), max_tokens)

    def _write(self, messages: list[Message], max_tokens: int) -> Iterator[Token | Draft]:
        """Ask for one answer and pass it on."""
        structured = self._settings.structured
        schema = answer_schema() if structured else None
        with closing(_Answer(self.client.stream(messages, max_tokens, schema))) as answer:
            texts = []
            pieces = answer.as_whole() if structured else settle_no_answer(iter(answer))
            for text in pieces:
                texts.append(text)
                yield Token(text)
        done = answer.completion
        self._note_name()
        yield Draft(
            text="".join(texts),
            prompt_tokens=done.prompt_tokens,
            completion_tokens=done.completion_tokens,
            model=done.model,
            finish_reason=done.finish_reason,
        )

    def _note_name(self) -> None:
        """``llm:<model>``; ``llm`` until the server has told which model it has."""
        self.name = f"llm:{self.client.known_model}".rstrip(":")

    def _messages(self, request: AnswerRequest, passages: Sequence[Passage]) -> list[Message]:
        return self._prompts.render(
            request.task, request.question, passages, structured=self._settings.structured
        )

    def _fit(self, request: AnswerRequest, budget: int) -> tuple[Sequence[Passage], list[Message]]:
        """The best passages that fit a budget of prompt tokens, or the beginning of the best one;
        and the messages with them."""
        passages = list(request.passages)
        while not self._fits(messages := self._messages(request, passages), budget) and passages:
            if len(passages) > 1:
                passages.remove(min(passages, key=lambda passage: passage.hit.score))
            else:
                passages = self._half(passages)
        return passages, messages

    def _fits(self, messages: Sequence[Message], budget: int) -> bool:
        contents = [message["content"] for message in messages]
        around = MESSAGE_TOKENS * len(contents)
        # no tokenizer makes more tokens than there are bytes: a wide window needs no counting
        if sum(len(content.encode(errors="replace")) for content in contents) + around <= budget:
            return True
        return sum(map(self.count_tokens, contents)) + around <= budget

    def _half(self, passages: Sequence[Passage]) -> list[Passage]:
        """The better half of the passages; of a single one half of the chunk that was found."""
        if len(passages) > 1:
            best = sorted(passages, key=lambda passage: -passage.hit.score)[: len(passages) // 2]
            return [passage for passage in passages if passage in best]
        passage = passages[0]
        allowed = self.count_tokens(passage.text) // 2
        hit = cut_to_fit(passage.hit, allowed, self.count_tokens)
        if hit is None or len(hit.text) < SMALLEST_PASSAGE:
            return []
        return [replace(passage, parts=(hit,), hit=hit)]


class _Answer:
    """The texts of a stream, and its completion once it ended."""

    def __init__(self, stream: Iterator[str | Completion]) -> None:
        self._stream = stream
        self.completion = Completion("")

    def __iter__(self) -> Iterator[str]:
        for piece in self._stream:
            if isinstance(piece, Completion):
                self.completion = piece
            elif text := piece.replace(WORD_JOINER, ""):  # copied from a text that we neutralised
                yield text

    def as_whole(self) -> Iterator[str]:
        """The text of an answer in JSON; it can only be told when it is complete."""
        yield parse_answer("".join(self)).to_text()

    def close(self) -> None:
        """End the stream and with it the generation."""
        close = getattr(self._stream, "close", None)
        if close:
            close()
