import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from rag_assets.encoders import Encoder, make_encoder
from rag_assets.encoders.compiled import CompiledEncoder
from rag_assets.encoders.openai_compatible import OpenAICompatibleEncoder
from rag_assets.platform.errors import EncoderError
from rag_assets.platform.settings import EncoderSettings

from .conformance import EncoderConformance, cosines
from .embeddings_server import KEY, EmbeddingsServer


@pytest.fixture(scope="module")
def running(compiled: CompiledEncoder) -> Iterator[EmbeddingsServer]:
    server = EmbeddingsServer(compiled)
    with server.running():
        yield server


@pytest.fixture
def server(running: EmbeddingsServer) -> EmbeddingsServer:
    running.faults.clear()
    running.requests.clear()
    return running


def client(url: str, state: Path, **changes: Any) -> OpenAICompatibleEncoder:
    values = {"model": "minilm", "api_key": SecretStr(KEY), "max_input_tokens": 256, **changes}
    settings = EncoderSettings(backend="openai", base_url=url, **values)
    return OpenAICompatibleEncoder(settings, state, first_wait=0.01)


class TestOpenAICompatible(EncoderConformance):
    @pytest.fixture
    def encoder(self, server: EmbeddingsServer, tmp_path: Path) -> Encoder:
        return client(server.url, tmp_path, batch_size=5)


def test_an_endpoint_has_no_token_vectors(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"query\.reranker"):
        client("http://a/v1", tmp_path).token_vectors(["text"])


def answer(status: int = 200, body: Any = None, **headers: str) -> Any:
    return lambda _: JSONResponse(body, status, headers)


def test_same_vectors_as_the_model(
    server: EmbeddingsServer, compiled: CompiledEncoder, tmp_path: Path
) -> None:
    texts = [f"text number {i}" for i in range(50)]
    vectors = client(server.url, tmp_path, batch_size=7).encode(texts)
    assert cosines(vectors, compiled.encode(texts)).min() > 0.999


def test_passing_failures_are_retried(server: EmbeddingsServer, tmp_path: Path) -> None:
    encoder = client(server.url, tmp_path, dimensions=384)
    busy = answer(429, {"error": {"message": "slow down"}}, **{"Retry-After": "0"})
    server.faults = [answer(500), answer(503, {"error": "starting"}), busy]
    assert encoder.encode(["hello"]).shape == (1, 384)
    assert len(server.requests) == 4


def test_lasting_failure_gives_up(server: EmbeddingsServer, tmp_path: Path) -> None:
    server.faults = [answer(500, {"error": {"message": "out of memory"}})] * 20
    with pytest.raises(EncoderError, match=r"failed 6 times.*status 500.*out of memory"):
        client(server.url, tmp_path, dimensions=384).encode(["hello"])


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, never listening: connections are refused
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/v1"
        with pytest.raises(EncoderError, match="ConnectError"):
            client(url, tmp_path).warm_up()


def row(index: int, embedding: Any) -> dict[str, Any]:
    return {"index": index, "embedding": embedding}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>a login page</html>", "not a list of embeddings"),
        (b"[]", "not a list of embeddings"),
        (b'{"data": null}', "not a list of embeddings"),
        ({"data": [row(0, [1.0, 2.0])]}, "1 embedding for 2 texts"),
        ({"data": [row(0, [1.0]), row(0, [1.0])]}, "2 embeddings for 2 texts"),
        ({"data": [row(0, [1.0]), row(1, [1.0, 2.0])]}, "not a list of embeddings"),
        ({"data": [row(0, "AAAA"), row(1, "AAAA")]}, "not a list of embeddings"),
        ({"data": [row(0, 1.0), row(1, 2.0)]}, "not lists of numbers"),
        ({"data": [row(0, [1.0, 2.0]), row(1, [0.0, 0.0])]}, "zero or not finite"),
        (b'{"data": [{"index": 0, "embedding": [NaN, 1]}, {"index": 1, "embedding": [1, 1]}]}',
         "zero or not finite"),
        ({"data": [row(0, [1.0] * 3), row(1, [1.0] * 3)]}, "vectors of 3 numbers, not 2"),
    ],
)  # fmt: skip
def test_nonsense(server: EmbeddingsServer, tmp_path: Path, body: Any, message: str) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    server.faults = [lambda _: Response(content, media_type="application/json")]
    with pytest.raises(EncoderError, match=message):
        client(server.url, tmp_path, dimensions=2).encode(["one", "two"])
    assert len(server.requests) == 1  # asking again would not help


def test_the_key_is_never_shown(server: EmbeddingsServer, tmp_path: Path) -> None:
    key = "sk-secret-of-somebody"
    wrong = client(server.url, tmp_path, api_key=SecretStr(key))
    with pytest.raises(EncoderError, match="Incorrect key: Bearer \\*\\*\\*") as caught:
        wrong.warm_up()
    assert "encoder.api_key" in caught.value.hint
    with pytest.raises(EncoderError, match="cannot be asked") as broken:
        client(server.url, tmp_path, api_key=SecretStr(key + "\nx")).warm_up()
    in_address = client(server.url.replace("//", f"//user:{key}@"), tmp_path)
    shown = f"{caught.value}{broken.value}{wrong.describe()}{in_address.describe()}"
    assert key not in shown


def test_refusal_carries_the_server_s_words(server: EmbeddingsServer, tmp_path: Path) -> None:
    server.faults = [answer(400, {"error": {"message": "does not support dimensions"}})]
    with pytest.raises(EncoderError, match="does not support dimensions"):
        client(server.url, tmp_path, dimensions=99).encode(["x"])
    with pytest.raises(EncoderError, match="usually ends in /v1"):
        client(server.url.removesuffix("/v1"), tmp_path).warm_up()


def test_dimensions_are_asked_once(server: EmbeddingsServer, tmp_path: Path) -> None:
    assert client(server.url, tmp_path).dimensions == 384
    assert client(server.url, tmp_path).dimensions == 384
    assert len(server.requests) == 1
    assert "dimensions" not in server.requests[0]


def test_long_and_empty_texts(server: EmbeddingsServer, tmp_path: Path) -> None:
    encoder = client(server.url, tmp_path, max_input_tokens=12, dimensions=384)
    encoder.encode(["", "word " * 50, "short"])
    assert server.requests[0]["input"] == [" ", ("word " * 10).strip(), "short"]
    assert server.requests[0]["dimensions"] == 384


def test_fingerprint(tmp_path: Path) -> None:
    prints = {
        client("http://a/v1", tmp_path).fingerprint,
        client("http://a/v1/embeddings/", tmp_path, api_key=SecretStr("other")).fingerprint,
        client("http://b/v1", tmp_path).fingerprint,
        client("http://a/v1", tmp_path, model="other").fingerprint,
    }
    assert len(prints) == 3


def test_the_registry(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"encoder\.base_url"):
        make_encoder(EncoderSettings(backend="openai"), tmp_path)
    names = {
        make_encoder(EncoderSettings(backend=backend, base_url="http://a"), tmp_path).name
        for backend in ("compiled", "sentence-transformers", "openai")
    }
    assert {name.partition(":")[0] for name in names} == {
        "compiled", "sentence-transformers", "openai",
    }  # fmt: skip
