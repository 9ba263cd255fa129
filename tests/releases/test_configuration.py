"""The configuration that a release keeps: no secrets, and enough to read it later."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from pydantic import SecretStr

from rag_assets.encoders import make_encoder
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.platform import Platform
from rag_assets.platform.settings import EncoderSettings, Settings
from rag_assets.releases.candidate import open_candidate, release_candidate
from rag_assets.releases.configuration import configuration_of, encoder_of
from rag_assets.releases.registry import Registry, Release
from rag_assets.vector_index.table import IndexTable
from tests.conftest import Deploy
from tests.jobs.harness import build_index, run_stages

SECRET = "sk-of-nobody"


class EmbeddingsServer(ThreadingHTTPServer):
    """Answers with vectors of eight numbers, and remembers the keys it was shown."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: EmbeddingsServer

    def do_POST(self) -> None:
        self.server.keys.append(self.headers.get("Authorization", ""))
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = [
            {"index": number, "embedding": [1.0 + len(text) % 7, *[1.0] * 7]}
            for number, text in enumerate(asked["input"])
        ]
        body = json.dumps({"data": rows}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving() -> Iterator[EmbeddingsServer]:
    server = EmbeddingsServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def endpoint(server: EmbeddingsServer, key: str = SECRET) -> EncoderSettings:
    return EncoderSettings(
        backend="openai",
        model="small",
        base_url=server.url,
        api_key=SecretStr(key),
        dimensions=8,
    )


def with_encoder(platform: Platform, encoder: EncoderSettings) -> Platform:
    return Platform(platform.settings.model_copy(update={"encoder": encoder}))


@pytest.fixture
def platform(deploy: Deploy) -> Platform:
    deploy()
    Path("documents/lighthouse.md").write_text("The lighthouse was built in 1871.")
    return Platform.load()


def test_a_release_keeps_what_shapes_it_and_no_secret(platform: Platform) -> None:
    run_stages(platform)
    release = Registry(platform.database).live()
    assert release is not None
    kept = release.configuration
    assert kept == configuration_of(platform.settings)
    assert set(kept) == {"parsing", "chunking", "encoder"}
    assert kept["chunking"]["max_tokens"] == 200
    assert not {"api_key", "batch_size", "workers"} & {
        key for part in kept.values() for key in part
    }
    secret = Settings(encoder=EncoderSettings(api_key=SecretStr(SECRET)))
    assert SECRET not in json.dumps(configuration_of(secret))


def test_what_shapes_a_release_makes_another_configuration_and_the_rest_does_not() -> None:
    plain = configuration_of(Settings())

    def differs(**changes: object) -> bool:
        return configuration_of(Settings.model_validate(changes)) != plain

    assert differs(chunking={"max_tokens": 60})
    assert differs(encoder={"model": "another"})
    assert differs(parsing={"timeout_seconds": 5})
    assert not differs(encoder={"batch_size": 3, "device": "cuda", "api_key": SECRET})
    assert not differs(parsing={"workers": 3}, gates={"max_quarantine_share": 0.1})


def made_with(platform: Platform, encoder: EncoderSettings) -> Release:
    """A release of another encoder, as the registry would have it."""
    run_stages(platform)
    live = Registry(platform.database).live()
    assert live is not None
    made = make_encoder(encoder, platform.state_path)
    configuration = configuration_of(platform.settings.model_copy(update={"encoder": encoder}))
    fingerprints = {**live.fingerprints, "encoder": made.fingerprint}
    return replace(live, fingerprints=fingerprints, configuration=configuration)


def test_the_encoder_of_a_release_is_the_one_it_was_made_with(platform: Platform) -> None:
    with serving() as former, serving() as present:
        release = made_with(platform, endpoint(former))
        now = with_encoder(platform, endpoint(present))

        found = encoder_of(now, release)

        assert found.fingerprint == release.fingerprints["encoder"]
        assert found.encode(["a question"]).shape == (1, 8)
        # the key of one server is not shown to another
        assert SECRET not in "".join(former.keys)
        assert len(former.keys) == 1
        assert present.keys == []


def test_a_new_key_of_the_same_server_is_used(platform: Platform) -> None:
    with serving() as server:
        release = made_with(platform, endpoint(server, "sk-old"))
        other = endpoint(server, "sk-new").model_copy(update={"model": "large"})
        encoder_of(with_encoder(platform, other), release).encode(["a question"])
        assert server.keys == ["Bearer sk-new"]


def test_the_present_encoder_is_taken_where_it_is_the_same(platform: Platform) -> None:
    run_stages(platform)
    live = Registry(platform.database).live()
    assert live is not None
    for kept in (live, replace(live, configuration=None)):
        assert encoder_of(platform, kept).fingerprint == live.fingerprints["encoder"]


def test_an_encoder_that_cannot_be_made_any_more_is_explained(platform: Platform) -> None:
    with serving() as server:
        release = made_with(platform, endpoint(server))
    older = replace(release, configuration=None)
    with pytest.raises(ConfigurationError, match="Release 1 was made with another encoder") as said:
        encoder_of(platform, older)
    assert "Set the former encoder again" in said.value.hint
    changed = replace(release, fingerprints={**release.fingerprints, "encoder": "of a lost model"})
    with pytest.raises(ConfigurationError, match="cannot be made any more"):
        encoder_of(platform, changed)


def test_a_candidate_that_was_given_up_may_have_had_vectors_of_another_length(
    platform: Platform,
) -> None:
    build_index(platform)
    left = open_candidate(platform, "run-1").release
    with serving() as server:
        shorter = with_encoder(platform, endpoint(server))
        build_index(shorter)
        assert release_candidate(shorter, "run-2").promoted
    given_up = Registry(platform.database).get(left.id)
    assert given_up is not None
    assert (given_up.status, given_up.readable) == ("rejected", False)
    table = IndexTable(platform.lancedb_uri, left.table_name, 384)
    assert left.tag not in table.tags()
