"""One client of an OpenAI-compatible chat server: time limits, retries, a circuit breaker, plain errors."""

import json
import threading
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rag_assets.encoders.tokenizer import without_lone_surrogates
from rag_assets.platform import interruption
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import LLMSettings
from rag_assets.platform.telemetry import Step, trace_headers, traced
from rag_assets.platform.wording import counted

from .breaker import CallBreaker
from .completion import Completion, Message
from .connections import let_interrupt
from .deadline import Deadline, DeadlinePassed, bound_response
from .failures import AttemptFailed, Server, explain, make_error
from .spans import asked, chat_attributes, completed

if TYPE_CHECKING:
    import openai
    from tenacity import RetryCallState

CONNECT_SECONDS = 10.0
FIRST_WAIT = 0.5  # seconds of back-off after the first failure, at most; it doubles
LONGEST_WAIT = 10.0
DEFAULT_CONTEXT_WINDOW = 4096


@dataclass
class _State:
    """What is known of a completion while it is being read."""

    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: str = ""


@dataclass(frozen=True)
class _Model:
    name: str
    context_window: int


class LLMClient:
    """Asks one server. Safe to use from several threads; the constructor touches no network.

    Args:
        settings: the section ``[llm]`` of the settings.

    Raises:
        ConfigurationError: ``llm.base_url`` is no http address.
    """

    def __init__(self, settings: LLMSettings) -> None:
        url = settings.base_url.strip()
        if not url.startswith(("http://", "https://")):
            raise ConfigurationError(
                "There is no LLM server: llm.base_url is empty or no http address.",
                "Set llm.base_url, e.g. to http://localhost:8000/v1.",
            )
        self._settings = settings
        self._key = settings.api_key.get_secret_value().strip()
        self._server = Server(_without_password(url), self._key)
        self._breaker = CallBreaker(
            settings.breaker_failures, settings.breaker_seconds, self._server.url
        )
        self._lock = threading.Lock()
        self._opened: openai.OpenAI | None = None
        self._models: list[_Model] | None = None

    @property
    def known_model(self) -> str:
        """The model's name as far as it is known without asking the server; empty if it is not."""
        return self._name_among(self._models)

    def model(self) -> str:
        """The model that answers: ``llm.model``, or the only one of the server (asked once).

        Raises:
            AnswererUnavailable, AnswererRefused: the server cannot be asked.
            ConfigurationError: it has several models, or none, and the settings name none.
        """
        models = self._models
        if not self._name_among(models):
            models = self._learn_models()
        return self._choose_model(models)

    def context_window(self) -> int:
        """Tokens that fit prompt and answer: ``llm.context_window``, else what the server says.

        Raises:
            AnswererUnavailable, AnswererRefused: the server cannot be asked.
        """
        if self._settings.context_window:
            return self._settings.context_window
        models = self._models
        if models is None:
            models = self._learn_models()
        known = {model.name: model.context_window for model in models}
        return known.get(self._name_among(models)) or DEFAULT_CONTEXT_WINDOW

    def complete(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        schema: dict[str, Any] | None = None,
    ) -> Completion:
        """Get a whole completion at once; arguments and errors are those of ``stream``."""
        # it is streamed all the same, so that a silent server shows before the whole time is over
        *_, completion = self.stream(messages, max_tokens, schema)
        assert isinstance(completion, Completion)
        return completion

    def stream(
        self,
        messages: Sequence[Message],
        max_tokens: int,
        schema: dict[str, Any] | None = None,
    ) -> Generator[str | Completion, None, None]:
        """Get a completion as it is written.

        Closing the generator closes the connection, which ends the generation; so does an interruption
        (``platform.interruption``), also while the server says nothing.

        Args:
            messages: dictionaries with ``role`` and ``content``.
            max_tokens: the longest completion.
            schema: a JSON schema that the completion is to follow.

        Yields:
            Pieces of text, then one ``Completion`` with the whole of it.

        Raises:
            AnswererUnavailable, AnswererRefused: see ``base``; ``kind`` is one of unreachable,
                timeout, overloaded, server_error, circuit_open, broken_off, invalid_response,
                unknown_model, bad_key, prompt_too_long, refused.
            ConfigurationError: the settings name no model and the server has several, or none.
        """
        with self._breaker.calling():
            self._client()  # the library is loaded before the time begins to count
            deadline = Deadline(self._settings.total_seconds)
            models = self._models
            if not self._name_among(models):
                models = self._list_models(deadline)
            body = self._body(self._choose_model(models), messages, max_tokens, schema)
            yield from traced(
                f"chat {body['model']}",
                lambda step: self._told(step, body, deadline),
                chat_attributes(body, self._server.url),
                calls=True,
            )

    def _told(
        self, step: Step, body: dict[str, Any], deadline: Deadline
    ) -> Generator[str | Completion, None, None]:
        """Read a completion; the step is told of it."""
        asked(step, body)
        try:
            with closing(self._read(body, deadline)) as pieces:
                for piece in pieces:
                    if isinstance(piece, Completion):
                        completed(step, piece)
                    yield piece
        except AttemptFailed as failure:
            if failure.error.kind in ("unknown_model", "prompt_too_long"):
                self._models = None  # the server may have another model by now
            raise failure.error from failure

    def _read(
        self, body: dict[str, Any], deadline: Deadline
    ) -> Generator[str | Completion, None, None]:
        """Read a completion; until its first token further attempts are made."""
        first, rest, state = self._retrying(deadline, self._first_token, body, deadline)
        texts = []
        with closing(rest):
            if first:
                texts.append(first)
                yield first
            for text in rest:
                texts.append(text)
                yield text
        yield Completion(
            "".join(texts),
            state.prompt_tokens,
            state.completion_tokens,
            state.model,
            state.finish_reason,
        )

    def _first_token(
        self, body: dict[str, Any], deadline: Deadline
    ) -> tuple[str, Generator[str, None, None], _State]:
        """Start a stream and wait for its first token; empty when the stream has none."""
        state = _State(model=str(body["model"]))
        pieces = self._pieces(body, deadline, state)
        return next(pieces, ""), pieces, state

    def _pieces(
        self, body: dict[str, Any], deadline: Deadline, state: _State
    ) -> Generator[str, None, None]:
        """Yield the texts of one attempt and note in ``state`` what the server says beside them."""
        import httpx2
        import openai

        failures = (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError)
        try:
            chat = self._client().chat.completions
            # what is given as extra is sent as it is: the library would look through every message
            # for names to translate, which takes a millisecond
            sent = {"model": body["model"], "messages": [], "stream": True, "extra_body": body}
            with chat.create(**sent, **self._options(deadline)) as stream:
                kind = stream.response.headers.get("Content-Type", "")
                if not kind.startswith("text/event-stream"):
                    raise ValueError(f"content type {kind!r}")
                bound_response(stream.response, deadline)
                for chunk in stream:
                    deadline.check()
                    text = _note(chunk, state)
                    if text:
                        yield text
        except DeadlinePassed:
            what = (
                f"did not end its answer within {counted(self._settings.total_seconds, 'second')}"
            )
            raise AttemptFailed(make_error("timeout", self._server, what)) from None
        except failures as error:
            raise explain(error, self._server) from error
        self._check_end(state)

    def _check_end(self, state: _State) -> None:
        """Tell an answer that ended from one that broke off."""
        if state.finish_reason in ("", "abort", "error"):
            what = "broke its answer off"
            raise AttemptFailed(make_error("broken_off", self._server, what), passing=True)
        if state.finish_reason == "content_filter":
            what = "withheld its answer (content filter)"
            raise AttemptFailed(make_error("refused", self._server, what))
        state.finish_reason = "length" if state.finish_reason == "length" else "stop"

    def _learn_models(self) -> list[_Model]:
        """Ask for the models, as a call of its own."""
        with self._breaker.calling():
            self._client()
            return self._list_models(Deadline(self._settings.total_seconds))

    def _list_models(self, deadline: Deadline) -> list[_Model]:
        try:
            models: list[_Model] = self._retrying(deadline, self._ask_models, deadline)
            self._models = models
            return models
        except AttemptFailed as failure:
            raise failure.error from failure

    def _ask_models(self, deadline: Deadline) -> list[_Model]:
        """The server's models; none when it has no such list."""
        import httpx2
        import openai

        models = self._client().models.with_raw_response
        try:
            answer = models.list(**self._options(deadline)).http_response.content
        except (openai.OpenAIError, httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
            failure = explain(error, self._server)
            if failure.error.kind in ("unknown_model", "refused"):
                return []  # it has no such address
            raise failure from error
        try:
            rows = json.loads(answer)["data"]
            return [_Model(str(row["id"]), int(row.get("max_model_len") or 0)) for row in rows]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            what = f"answered with something that is no list of models ({type(error).__name__})"
            raise AttemptFailed(make_error("invalid_response", self._server, what)) from error

    def _name_among(self, models: list[_Model] | None) -> str:
        """The model that is meant; empty when the list leaves it open."""
        if self._settings.model:
            return self._settings.model
        return models[0].name if models and len(models) == 1 else ""

    def _choose_model(self, models: list[_Model] | None) -> str:
        name = self._name_among(models)
        if name:
            return name
        names = sorted(model.name for model in models or [])
        raise ConfigurationError(
            f"llm.model is not set and the LLM server {self._server.url} has "
            + (f"several models: {', '.join(names)}." if names else "no list of models."),
            "Set llm.model to one of the server's models.",
        )

    def _retrying(self, deadline: Deadline, function: Any, *arguments: Any) -> Any:
        """Call with back-off as long as failures may pass and time is left."""
        from tenacity import Retrying, retry_if_exception, stop_after_attempt, stop_before_delay

        attempts = stop_after_attempt(1 + self._settings.retries)
        return Retrying(
            stop=attempts | stop_before_delay(deadline.remaining),
            wait=_wait,
            retry=retry_if_exception(lambda e: isinstance(e, AttemptFailed) and e.passing),
            sleep=interruption.sleep,
            reraise=True,
        )(function, *arguments)

    def _body(
        self,
        model: str,
        messages: Sequence[Message],
        max_tokens: int,
        schema: dict[str, Any] | None,
    ) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": model,
            "messages": [
                {name: without_lone_surrogates(text) for name, text in message.items()}
                for message in messages
            ],
            "max_tokens": max_tokens,
            "temperature": self._settings.temperature,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if schema is not None:
            form = {"name": "answer", "schema": schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": form}
        return body

    def _options(self, deadline: Deadline) -> dict[str, Any]:
        """The time limits and headers of one attempt."""
        import httpx2

        silence = min(self._settings.timeout_seconds, deadline.remaining)
        timeout = httpx2.Timeout(silence, connect=min(silence, CONNECT_SECONDS))
        return {"timeout": timeout, "extra_headers": self._headers()}

    def _client(self) -> "openai.OpenAI":
        import openai

        with self._lock:
            if self._opened is None:
                connections = openai.DefaultHttpxClient()
                let_interrupt(connections)
                self._opened = openai.OpenAI(
                    base_url=self._settings.base_url.strip(),
                    api_key=self._key or "none",
                    admin_api_key="",
                    max_retries=0,
                    http_client=connections,
                )
            return self._opened

    def _headers(self) -> Any:
        """No key and no names that the library would take from variables of its own."""
        import openai

        names = ["OpenAI-Organization", "OpenAI-Project"]
        omitted = {name: openai.Omit() for name in names + ["Authorization"] * (not self._key)}
        return {**omitted, **trace_headers()}


def _note(chunk: Any, state: _State) -> str:
    """Take what a chunk says into the state; its text.

    Raises:
        ValueError: it is no chunk of a chat completion.
        AnswererRefused: the model declines to answer.
    """
    choices = getattr(chunk, "choices", None)
    if not isinstance(choices, list):
        raise ValueError("no choices")
    state.model = getattr(chunk, "model", None) or state.model
    usage = getattr(chunk, "usage", None)
    if usage is not None:
        state.prompt_tokens = int(getattr(usage, "prompt_tokens", None) or 0)
        state.completion_tokens = int(getattr(usage, "completion_tokens", None) or 0)
    if not choices:
        return ""
    delta = getattr(choices[0], "delta", None)
    state.finish_reason = getattr(choices[0], "finish_reason", None) or state.finish_reason
    if getattr(delta, "refusal", None):
        state.finish_reason = "content_filter"
    text = getattr(delta, "content", None) or ""
    if not isinstance(text, str):
        raise ValueError("the content is no text")
    return text


def _wait(state: "RetryCallState") -> float:
    """What the server asks for, else a random share of a back-off that doubles."""
    from tenacity import wait_random_exponential

    failure = state.outcome.exception() if state.outcome else None
    if isinstance(failure, AttemptFailed) and failure.retry_after is not None:
        return failure.retry_after
    return wait_random_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)(state)


def _without_password(url: str) -> str:
    scheme, found, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return scheme + found + host.rpartition("@")[2] + slash + path
