"""How a judge is reached: an OpenAI-compatible server that replies with JSON by a schema."""

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ValidationError

from rag_assets.encoders.tokenizer import without_lone_surrogates
from rag_assets.platform.errors import ConfigurationError, RaglineError
from rag_assets.platform.settings import JudgeSettings
from rag_assets.query.answerers.failures import Server, explain

from .base import InvalidScore
from .metering import count_tokens, counted_call
from .reply_schema import reply_schema

if TYPE_CHECKING:
    import openai

CONNECT_SECONDS = 10.0
TEMPERATURE = 0.0  # the same question gets the same verdict
EXCERPT = 200
PASSING_KINDS = ("unreachable", "timeout", "overloaded", "server_error", "broken_off")

Reply = TypeVar("Reply", bound=BaseModel)


class JudgeFailed(RaglineError):
    """The judge did not reply.

    Attributes:
        kind: see ``rag_assets.query.answerers.failures``: unreachable, timeout, overloaded, …
        passing: whether another attempt may succeed.
        retry_after: seconds the server asks to wait, or None.
    """

    def __init__(
        self, message: str, hint: str = "", *, kind: str, retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint)
        self.kind = kind
        self.passing = kind in PASSING_KINDS
        self.retry_after = retry_after


class InvalidReply(InvalidScore):
    """The judge replied something that does not follow the schema, or only a part of it."""


class JudgeClient:
    """Asks one judge. The constructor touches no network; used by one event loop at a time.

    Args:
        settings: the section ``[judge]`` of the settings.
        temperature: of the replies.

    Raises:
        ConfigurationError: ``judge.base_url`` is no http address.
    """

    def __init__(self, settings: JudgeSettings, temperature: float = TEMPERATURE) -> None:
        url = urlsplit(settings.base_url.strip())
        if url.scheme not in ("http", "https") or not url.hostname:
            raise ConfigurationError(
                "There is no judge: judge.base_url is empty or no http address.",
                "Set judge.base_url, e.g. to http://localhost:8000/v1.",
            )
        self._settings = settings
        self._temperature = temperature
        self._key = settings.api_key.get_secret_value().strip()
        self.address = url.netloc.rpartition("@")[2] + url.path.rstrip("/")
        self._server = Server(f"{url.scheme}://{self.address}", self._key)
        self._model = settings.model.strip()
        self._opened: openai.AsyncOpenAI | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def identity(self) -> str:
        """``<model>@<host:port/path>``, without credentials; the model is ``?`` while unknown."""
        return f"{self._model or '?'}@{self.address}"

    @property
    def known_model(self) -> str:
        """The model's name; empty until ``model`` was asked for where the settings name none."""
        return self._model

    async def model(self) -> str:
        """The model that judges: ``judge.model``, or the only one of the server (asked once).

        Raises:
            JudgeFailed: the server cannot be asked.
            ConfigurationError: it has several models, or none, and the settings name none.
        """
        if not self._model:
            names = await self._list_models()
            if len(names) != 1:
                raise ConfigurationError(
                    f"judge.model is not set and the judge {self._server.url} has "
                    + (f"several models: {', '.join(names)}." if names else "no list of models."),
                    "Set judge.model to one of the server's models.",
                )
            self._model = names[0]
        return self._model

    async def complete(self, prompt: str, reply: type[Reply]) -> Reply:
        """Ask for a reply that follows the schema of a model.

        Calls and tokens are counted by the open meters (``metering.metered``).

        Raises:
            JudgeFailed: there is no reply.
            InvalidReply: the reply does not follow the schema, or was cut at ``judge.max_tokens``.
            ConfigurationError: see ``model``.
        """
        form = {"name": reply.__name__, "schema": reply_schema(reply), "strict": True}
        body: dict[str, Any] = {
            "model": await self.model(),
            "messages": [{"role": "user", "content": without_lone_surrogates(prompt)}],
            "max_tokens": self._settings.max_tokens,
            "temperature": self._temperature,
            "response_format": {"type": "json_schema", "json_schema": form},
        }
        with counted_call():
            answer = await self._ask(lambda client: client.chat.completions.create, **body)
            text = self._text_of(answer)
        return _parsed(text, reply)

    async def close(self) -> None:
        """Close the connections; they open again when they are needed."""
        opened, self._opened = self._opened, None
        if opened is not None and self._loop is asyncio.get_running_loop():
            await opened.close()

    async def _list_models(self) -> list[str]:
        rows = await self._ask(lambda client: client.models.list)
        try:
            return sorted(str(row.id) for row in rows.data)
        except (AttributeError, TypeError) as error:
            raise self._no_completion(error) from error

    async def _ask(self, method: Any, **body: Any) -> Any:
        import httpx2
        import openai

        failures = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError, TypeError)
        try:
            return await method(self._client())(**body, **self._options())
        except failures as error:
            failed = explain(error, self._server)
            raise JudgeFailed(
                failed.error.message, kind=failed.error.kind, retry_after=failed.retry_after
            ) from error

    def _text_of(self, answer: Any) -> str:
        """What the judge wrote; its tokens are counted."""
        try:
            usage, choice = answer.usage, answer.choices[0]
            if usage is not None:
                count_tokens(int(usage.prompt_tokens or 0), int(usage.completion_tokens or 0))
            text, finish = choice.message.content, choice.finish_reason
        except (AttributeError, TypeError, IndexError) as error:
            raise self._no_completion(error) from error
        if finish == "length":
            raise InvalidReply("The judge's reply was cut at judge.max_tokens.")
        if not isinstance(text, str) or not text.strip():
            raise InvalidReply(f"The judge wrote nothing (finish reason {finish}).")
        return text

    def _no_completion(self, error: Exception) -> JudgeFailed:
        return JudgeFailed(
            f"The judge {self._server.url} answered with something that is not of the OpenAI API "
            f"({type(error).__name__}).",
            "Check that judge.base_url is an OpenAI-compatible API (it usually ends in /v1).",
            kind="invalid_response",
        )

    def _client(self) -> "openai.AsyncOpenAI":
        """The connections of this event loop: those of an earlier one cannot be used any more."""
        import openai

        loop = asyncio.get_running_loop()
        if self._opened is None or self._loop is not loop:
            self._loop = loop
            self._opened = openai.AsyncOpenAI(
                base_url=self._settings.base_url.strip(),
                api_key=self._key or "none",
                admin_api_key="",
                max_retries=0,
            )
        return self._opened

    def _options(self) -> dict[str, Any]:
        """Time limits, and no key and names that the library would take from its own variables."""
        import httpx2
        import openai

        seconds = self._settings.timeout_seconds
        names = ["OpenAI-Organization", "OpenAI-Project"]
        return {
            "timeout": httpx2.Timeout(seconds, connect=min(seconds, CONNECT_SECONDS)),
            "extra_headers": {
                name: openai.Omit() for name in names + ["Authorization"] * (not self._key)
            },
        }


def _parsed(text: str, reply: type[Reply]) -> Reply:
    """The reply as an object; what a model writes before and after the JSON is left out."""
    text = text.rpartition("</think>")[2]
    try:
        return reply.model_validate_json(text[text.find("{") : text.rfind("}") + 1])
    except ValidationError as error:
        raise InvalidReply(
            f"The judge's reply is no {reply.__name__} ({error.error_count()} problems): "
            f"{' '.join(text.split())[:EXCERPT]!r}"
        ) from error
