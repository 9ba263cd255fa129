"""One call of an OpenAI-compatible ``/embeddings`` endpoint: retried, checked, explained."""

import email.utils
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rag_assets.platform.errors import EncoderError
from rag_assets.platform.wording import counted

if TYPE_CHECKING:
    import httpx
    import numpy as np
    from pydantic import SecretStr
    from tenacity import RetryCallState

ATTEMPTS = 6
LONGEST_WAIT = 60.0
TIMEOUT_SECONDS = 60.0
TRANSIENT = (408, 409, 425, 429)


class _Transient(Exception):
    """A failure that another attempt may cure."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after


class EmbeddingsEndpoint:
    """Posts texts and gets vectors. Safe to use from several threads.

    Args:
        base_url: e.g. ``http://localhost:8000/v1``; ``/embeddings`` is added when absent.
        model: the model's name, as the server knows it.
        key: the key; empty for none. It never appears in a message.
        dimensions: asked of the server when not 0.
        first_wait: seconds of back-off after the first failure, at most; it doubles.
    """

    def __init__(
        self,
        base_url: str,
        model: str,
        key: "SecretStr",
        *,
        dimensions: int = 0,
        first_wait: float = 0.5,
    ) -> None:
        self._url = base_url.strip().rstrip("/").removesuffix("/embeddings") + "/embeddings"
        self._model = model
        self._key = key.get_secret_value().strip()
        self._dimensions = dimensions
        self._first_wait = first_wait
        self._opened: httpx.Client | None = None

    @property
    def url(self) -> str:
        """The address, without a password that may be in it."""
        scheme, found, rest = self._url.partition("://")
        host, slash, path = rest.partition("/")
        return scheme + found + host.rpartition("@")[2] + slash + path

    def embed(self, texts: Sequence[str]) -> "np.ndarray":
        """Get the vectors of one batch.

        Returns:
            float32 array of shape (texts, dimensions of the server), not yet scaled.

        Raises:
            EncoderError: the server refuses, cannot be reached, or returns something else.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        body: dict[str, Any] = {
            "model": self._model,
            "input": list(texts),
            "encoding_format": "float",
        }
        if self._dimensions:
            body["dimensions"] = self._dimensions
        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=self._wait,
            retry=retry_if_exception_type(_Transient),
            reraise=True,
        )
        try:
            return retrying(self._post, body)
        except _Transient as failure:
            raise EncoderError(
                f"The embeddings endpoint {self.url} failed {ATTEMPTS} times: {failure}.",
                "Check that the server is up, then run the command again: what was already "
                "computed is kept.",
            ) from failure

    def _post(self, body: dict[str, Any]) -> "np.ndarray":
        import httpx

        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            response = self._client().post(self._url, json=body, headers=headers)
        except (
            httpx.InvalidURL,
            httpx.UnsupportedProtocol,
            httpx.LocalProtocolError,
            UnicodeEncodeError,
        ) as error:
            # what these say may quote the key
            raise EncoderError(
                f"The embeddings endpoint {self.url} cannot be asked: {type(error).__name__}.",
                "Correct encoder.base_url (http:// or https://) or encoder.api_key.",
            ) from None
        except httpx.TransportError as error:
            raise _Transient(f"{type(error).__name__} {error}".strip()) from error
        if response.status_code in TRANSIENT or response.status_code >= 500:
            raise _Transient(
                f"status {response.status_code}, {self._message(response)}",
                _retry_after(response.headers.get("Retry-After", "")),
            )
        if response.status_code != 200:
            raise self._refused(response)
        return self._vectors(response, len(body["input"]))

    def _vectors(self, response: "httpx.Response", expected: int) -> "np.ndarray":
        """Read the vectors of an answer, in the order of the texts whatever that of the answer."""
        import numpy as np

        try:
            rows = response.json()["data"]
            ordered = sorted(rows, key=lambda row: row["index"])
            complete = [row["index"] for row in ordered] == list(range(expected))
            if complete:
                vectors = np.array([row["embedding"] for row in ordered], dtype=np.float32)
        except (ValueError, KeyError, TypeError) as error:
            raise self._nonsense(f"is not a list of embeddings ({type(error).__name__})") from error
        if not complete:
            raise self._nonsense(
                f"has {counted(len(rows), 'embedding')} for {counted(expected, 'text')}"
            )
        if vectors.ndim != 2:
            raise self._nonsense("has embeddings that are not lists of numbers")
        return vectors

    def _wait(self, state: "RetryCallState") -> float:
        """What the server asks for, else a random share of a back-off that doubles."""
        from tenacity import wait_random_exponential

        failure = state.outcome.exception() if state.outcome else None
        if isinstance(failure, _Transient) and failure.retry_after is not None:
            return min(failure.retry_after, LONGEST_WAIT)
        return wait_random_exponential(multiplier=self._first_wait, max=LONGEST_WAIT)(state)

    def _client(self) -> "httpx.Client":
        import httpx

        if self._opened is None:
            self._opened = httpx.Client(timeout=httpx.Timeout(TIMEOUT_SECONDS, connect=10.0))
        return self._opened

    def _message(self, response: "httpx.Response") -> str:
        """The server's own words, without the key should it repeat it."""
        try:
            error = response.json()
            error = error.get("error", error) if isinstance(error, dict) else error
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        except ValueError:
            text = response.text
        text = text.replace(self._key, "***") if self._key else text
        return repr(" ".join(text.split())[:300])

    def _refused(self, response: "httpx.Response") -> EncoderError:
        hints = {
            401: "Set encoder.api_key (the variable RAG_ENCODER__API_KEY).",
            403: "Set encoder.api_key (the variable RAG_ENCODER__API_KEY) to one with access.",
            404: "Check encoder.base_url (it usually ends in /v1) and encoder.model.",
        }
        return EncoderError(
            f"The embeddings endpoint {self.url} answered with status {response.status_code}: "
            f"{self._message(response)}.",
            hints.get(
                response.status_code,
                "Check encoder.model, encoder.max_input_tokens and encoder.dimensions "
                "(0 if the server cannot choose).",
            ),
        )

    def _nonsense(self, what: str) -> EncoderError:
        return EncoderError(
            f"The answer of the embeddings endpoint {self.url} {what}.",
            "Check that encoder.base_url is an OpenAI-compatible endpoint for embeddings.",
        )


def _retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, which is a number or a date."""
    if value.strip().isdigit():
        return float(value)
    try:
        until = email.utils.parsedate_to_datetime(value) - datetime.now(UTC)
    except (TypeError, ValueError):
        return None
    return max(0.0, until.total_seconds())
