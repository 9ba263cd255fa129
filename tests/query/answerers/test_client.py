"""The client against a real server that misbehaves as real servers do."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest

from rag_assets.platform import interruption
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import LLMSettings
from rag_assets.query.answerers import client as client_module
from rag_assets.query.answerers.base import (
    AnswererError,
    AnswererRefused,
    AnswererUnavailable,
)
from rag_assets.query.answerers.client import Completion, LLMClient
from tests.query.openai_server import KEY, MODEL, OpenAIServer, Reply

from .conftest import llm_settings

MESSAGES = [{"role": "user", "content": "How many days?"}]


def failure(client: LLMClient) -> AnswererError:
    """The error of one completion."""
    with pytest.raises(AnswererError) as caught:
        client.complete(MESSAGES, 50)
    return caught.value


def test_streams_tokens_and_ends_with_the_completion(server: OpenAIServer) -> None:
    *texts, completion = LLMClient(llm_settings(server)).stream(MESSAGES, 50)
    assert texts == ["Forty-two ", "days ", "[1]."]
    assert completion == Completion("Forty-two days [1].", 11, 3, MODEL, "stop")
    sent = server.requests[0]
    assert (sent["max_tokens"], sent["temperature"], sent["model"]) == (50, 0.0, MODEL)


def test_first_token_comes_before_the_server_is_done(server: OpenAIServer) -> None:
    server.script = [Reply(hang=1)]
    stream = LLMClient(llm_settings(server)).stream(MESSAGES, 50)
    assert next(stream) == "Forty-two "
    stream.close()


def test_completion_at_the_token_limit(server: OpenAIServer) -> None:
    server.script = [Reply(finish="length")]
    assert LLMClient(llm_settings(server)).complete(MESSAGES, 3).finish_reason == "length"


def test_server_that_does_not_count(server: OpenAIServer) -> None:
    server.script = [Reply(usage=None)]
    completion = LLMClient(llm_settings(server)).complete(MESSAGES, 3)
    assert (completion.prompt_tokens, completion.completion_tokens) == (0, 0)


def test_text_that_is_no_unicode(server: OpenAIServer) -> None:
    LLMClient(llm_settings(server)).complete([{"role": "user", "content": "a\ud800b"}], 50)
    assert server.requests[0]["messages"][0]["content"] == "a\ufffdb"


def test_schema_is_sent(server: OpenAIServer) -> None:
    LLMClient(llm_settings(server)).complete(MESSAGES, 50, {"type": "object"})
    form = server.requests[0]["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"]["schema"] == {"type": "object"}


FAULTS: list[tuple[str, type[AnswererError], Reply]] = [
    ("server_error", AnswererUnavailable, Reply(status=500)),
    ("overloaded", AnswererUnavailable, Reply(status=429)),
    ("overloaded", AnswererUnavailable, Reply(status=503)),
    ("server_error", AnswererUnavailable, Reply(status=502)),
    ("server_error", AnswererUnavailable, Reply(status=504)),
    ("broken_off", AnswererUnavailable, Reply(finish="abort")),
    ("broken_off", AnswererUnavailable, Reply(finish=None)),
    ("broken_off", AnswererUnavailable, Reply(finish="abort", tokens=())),
    ("broken_off", AnswererUnavailable, Reply(break_after=0)),
    ("broken_off", AnswererUnavailable, Reply(break_after=2)),
    ("invalid_response", AnswererUnavailable, Reply(raw="<html>Welcome</html>")),
    ("invalid_response", AnswererUnavailable, Reply(raw="{}", content_type="application/json")),
    ("invalid_response", AnswererUnavailable, Reply(events=("{not json",))),
    ("invalid_response", AnswererUnavailable, Reply(events=("[1, 2]",))),
    ("invalid_response", AnswererUnavailable, Reply(events=('{"choices": 7}',))),
    (
        "invalid_response",
        AnswererUnavailable,
        Reply(events=('{"choices": [{"delta": {"content": 7}}]}',)),
    ),
    (
        "server_error",
        AnswererUnavailable,
        Reply(events=('{"error": {"message": "engine died", "code": 500}}',)),
    ),
    (
        "prompt_too_long",
        AnswererRefused,
        Reply(events=('{"error": {"message": "long", "code": "context_length_exceeded"}}',)),
    ),
    ("unknown_model", AnswererRefused, Reply(status=404)),
    ("bad_key", AnswererRefused, Reply(status=401)),
    ("bad_key", AnswererRefused, Reply(status=403)),
    ("refused", AnswererRefused, Reply(status=400)),
    ("refused", AnswererRefused, Reply(status=422)),
    ("refused", AnswererRefused, Reply(finish="content_filter")),
    ("prompt_too_long", AnswererRefused, Reply(status=413)),
    (
        "prompt_too_long",
        AnswererRefused,
        Reply(status=400, error={"error": {"message": "no", "param": "input_tokens"}}),
    ),
    (
        "prompt_too_long",
        AnswererRefused,
        Reply(status=400, error={"error": {"message": "no", "code": "context_length_exceeded"}}),
    ),
    (
        "prompt_too_long",
        AnswererRefused,
        Reply(
            status=400,
            error={"message": "This model's maximum context length is 512 tokens. However …"},
        ),
    ),
]


@pytest.mark.parametrize(("kind", "error", "reply"), FAULTS)
def test_faults_have_a_kind_and_say_what_to_do(
    server: OpenAIServer, kind: str, error: type[AnswererError], reply: Reply
) -> None:
    server.default = reply
    caught = failure(LLMClient(llm_settings(server, retries=0)))
    assert (caught.kind, type(caught)) == (kind, error)
    assert caught.hint
    assert server.url in caught.message


def test_error_keeps_the_servers_words(server: OpenAIServer) -> None:
    server.script = [Reply(status=400, error={"error": {"message": "temperature is\nodd"}})]
    assert "temperature is odd" in failure(LLMClient(llm_settings(server))).message


PASSING = [429, 502, 503, 504]


@pytest.mark.parametrize(
    "reply",
    [
        *[Reply(status=status, headers={"Retry-After": "0"}) for status in PASSING],
        Reply(break_after=0),
        Reply(finish="abort", tokens=()),
    ],
)
def test_what_may_pass_is_tried_again(server: OpenAIServer, reply: Reply) -> None:
    server.script = [reply, reply]
    assert LLMClient(llm_settings(server)).complete(MESSAGES, 50).finish_reason == "stop"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "reply",
    [*[Reply(status=s) for s in (400, 401, 404, 500)], Reply(raw="<html>"), Reply(events=("{",))],
)
def test_what_will_not_pass_is_not_tried_again(server: OpenAIServer, reply: Reply) -> None:
    server.script = [reply]
    failure(LLMClient(llm_settings(server)))
    assert len(server.requests) == 1


def test_a_failed_attempt_leaves_nothing_behind(server: OpenAIServer) -> None:
    server.script = [Reply(finish="abort", tokens=(), usage=(5, 5)), Reply(usage=None)]
    completion = LLMClient(llm_settings(server)).complete(MESSAGES, 50)
    assert completion == Completion("Forty-two days [1].", model=MODEL)


def test_retries_come_to_an_end(server: OpenAIServer) -> None:
    server.default = Reply(status=503)
    failure(LLMClient(llm_settings(server, retries=1)))
    assert len(server.requests) == 2


@pytest.mark.parametrize("reply", [Reply(break_after=1), Reply(finish="abort"), Reply(hang=2)])
def test_no_retry_after_the_first_token(server: OpenAIServer, reply: Reply) -> None:
    server.script = [reply]
    failure(LLMClient(llm_settings(server, timeout_seconds=1)))
    assert len(server.requests) == 1


def test_retry_after_is_honoured(server: OpenAIServer) -> None:
    server.script = [Reply(status=429, headers={"Retry-After": "3600"})]
    # no time is left for a wait of an hour, so there is no second attempt
    assert failure(LLMClient(llm_settings(server))).kind == "overloaded"
    assert len(server.requests) == 1


@pytest.mark.parametrize("hang", [-1, 0, 2])
def test_silence_is_a_timeout(server: OpenAIServer, hang: int) -> None:
    server.default = Reply(hang=hang)
    caught = failure(LLMClient(llm_settings(server, timeout_seconds=0.2, retries=0)))
    assert (caught.kind, type(caught)) == ("timeout", AnswererUnavailable)


@pytest.mark.parametrize("hang", [-1, 0])
def test_silence_before_the_first_token_is_tried_again(server: OpenAIServer, hang: int) -> None:
    server.script = [Reply(hang=hang)]
    settings = llm_settings(server, timeout_seconds=1)
    assert LLMClient(settings).complete(MESSAGES, 50).finish_reason == "stop"


def test_retries_end_with_the_total_time(server: OpenAIServer) -> None:
    server.default = Reply(hang=-1)
    settings = llm_settings(server, timeout_seconds=0.4, total_seconds=0.6, retries=10)
    assert failure(LLMClient(settings)).kind == "timeout"
    assert len(server.requests) <= 3


@pytest.mark.timeout(60)  # the server would go on for ever
@pytest.mark.parametrize(
    "reply",
    [Reply(hang=1, comments=True), Reply(tokens=("again ",) * 1_000_000, delay=0.01)],
    ids=["keep-alive comments", "slow tokens"],
)
def test_an_endless_answer_ends_with_the_total_time(server: OpenAIServer, reply: Reply) -> None:
    server.default = reply
    client = LLMClient(llm_settings(server, total_seconds=3, model=MODEL))
    stream = client.stream(MESSAGES, 50)
    assert next(stream) == reply.tokens[0]
    with pytest.raises(
        AnswererUnavailable, match="did not end its answer within 3 seconds"
    ) as caught:
        list(stream)
    assert caught.value.kind == "timeout"
    assert "llm.total_seconds" in caught.value.hint


def test_nobody_listens() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/v1"
        settings = LLMSettings(base_url=address, model="m", context_window=100, retries=1)
        assert failure(LLMClient(settings)).kind == "unreachable"


def test_server_that_comes_back_during_the_retries(server: OpenAIServer) -> None:
    client = LLMClient(llm_settings(server, model="m"))
    client.complete(MESSAGES, 5)
    server.script = [Reply(break_after=0)]
    assert client.complete(MESSAGES, 5).text


@pytest.mark.parametrize("address", ["", "localhost:8000/v1", "ftp://example.org"])
def test_address_must_be_http(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"llm\.base_url"):
        LLMClient(LLMSettings(base_url=address))


class TestClosing:
    def test_closing_ends_the_generation(self, server: OpenAIServer) -> None:
        server.script = [Reply(tokens=("again ",) * 100_000, delay=0.001)]
        stream = LLMClient(llm_settings(server)).stream(MESSAGES, 50)
        next(stream)
        stream.close()
        assert server.cut_off.wait(10)

    def test_never_started(self, server: OpenAIServer) -> None:
        LLMClient(llm_settings(server)).stream(MESSAGES, 50).close()
        assert server.requests == []

    @pytest.mark.parametrize(
        "reply",
        [Reply(hang=-1), Reply(hang=1), Reply(status=503, headers={"Retry-After": "50"})],
        ids=["before its headers", "after a token", "between two attempts"],
    )
    def test_nobody_waits_while_the_server_says_nothing(
        self, server: OpenAIServer, reply: Reply
    ) -> None:
        server.default = reply
        settings = llm_settings(server, timeout_seconds=60, total_seconds=60, breaker_failures=1)
        client, gone, started = LLMClient(settings), threading.Event(), time.monotonic()

        def leave() -> None:
            while not server.requests:
                time.sleep(0.01)
            gone.set()

        thread = threading.Thread(target=leave)
        thread.start()
        with interruption.following(gone), pytest.raises(interruption.Interrupted):
            client.complete(MESSAGES, 50)
        thread.join()
        assert time.monotonic() - started < 50  # neither a time limit nor the pause was waited for
        server.default = Reply()
        assert client.complete(MESSAGES, 50).text  # the breaker has counted nothing

    def test_giving_up_is_no_failure_of_the_server(self, server: OpenAIServer) -> None:
        client = LLMClient(llm_settings(server, breaker_failures=1))
        stream = client.stream(MESSAGES, 50)
        next(stream)
        stream.close()
        assert client.complete(MESSAGES, 50).text


class TestModels:
    def test_the_only_model_is_asked_for_once(self, server: OpenAIServer) -> None:
        client = LLMClient(llm_settings(server))
        assert client.known_model == ""
        assert [client.model(), client.model()] == [MODEL, MODEL]
        client.complete(MESSAGES, 5)
        assert server.model_requests == 1
        assert client.known_model == MODEL

    def test_several_models(self, server: OpenAIServer) -> None:
        server.models = [{"id": "large"}, {"id": "small"}]
        with pytest.raises(ConfigurationError, match="large, small"):
            LLMClient(llm_settings(server)).complete(MESSAGES, 5)

    def test_named_model_needs_no_list(self, server: OpenAIServer) -> None:
        LLMClient(llm_settings(server, model="other")).complete(MESSAGES, 5)
        assert server.model_requests == 0
        assert server.requests[0]["model"] == "other"

    def test_window_of_the_server(self, server: OpenAIServer) -> None:
        server.models = [{"id": "other"}, {"id": MODEL, "max_model_len": 777}]
        assert LLMClient(llm_settings(server, model=MODEL)).context_window() == 777

    def test_window_of_the_settings(self, server: OpenAIServer) -> None:
        assert LLMClient(llm_settings(server, context_window=99)).context_window() == 99
        assert server.model_requests == 0

    def test_window_when_nobody_says(self, server: OpenAIServer) -> None:
        server.models = [{"id": MODEL}]
        assert LLMClient(llm_settings(server)).context_window() == 4096

    @pytest.mark.parametrize("status", [404, 405, 400])
    def test_server_without_a_list(self, server: OpenAIServer, status: int) -> None:
        server.models_status = status
        client = LLMClient(llm_settings(server, model=MODEL))
        assert [client.context_window(), client.context_window()] == [4096, 4096]
        assert server.model_requests == 1
        with pytest.raises(ConfigurationError, match="no list of models"):
            LLMClient(llm_settings(server)).complete(MESSAGES, 5)

    def test_list_that_is_none(self, server: OpenAIServer) -> None:
        server.models = [{"name": "no id"}]
        with pytest.raises(AnswererUnavailable) as caught:
            LLMClient(llm_settings(server)).model()
        assert caught.value.kind == "invalid_response"

    def test_list_is_tried_again(self, server: OpenAIServer) -> None:
        server.models_status = 503
        with pytest.raises(AnswererUnavailable):
            LLMClient(llm_settings(server, retries=2)).model()
        assert server.model_requests == 3

    def test_a_server_that_has_no_model_yet(self, server: OpenAIServer) -> None:
        server.models = []
        client = LLMClient(llm_settings(server))
        with pytest.raises(ConfigurationError):
            client.complete(MESSAGES, 5)
        server.models = [{"id": "late"}]
        assert client.complete(MESSAGES, 5).model == "late"

    def test_a_window_that_became_smaller(self, server: OpenAIServer) -> None:
        client = LLMClient(llm_settings(server))
        assert client.context_window() == 4096
        server.models = [{"id": MODEL, "max_model_len": 512}]
        server.script = [Reply(status=413)]
        failure(client)
        assert client.context_window() == 512

    def test_a_server_with_another_model_is_found_again(self, server: OpenAIServer) -> None:
        client = LLMClient(llm_settings(server))
        client.complete(MESSAGES, 5)
        server.models = [{"id": "newer"}]
        server.script = [Reply(status=404)]
        assert failure(client).kind == "unknown_model"
        assert client.complete(MESSAGES, 5).model == "newer"


class TestKey:
    @pytest.mark.parametrize("said", [f"wrong key Bearer {KEY}", {"message": f"no {KEY}"}])
    def test_key_never_appears(self, server: OpenAIServer, said: Any) -> None:
        server.default = Reply(status=401, error={"error": said})
        caught = failure(LLMClient(llm_settings(server, api_key=KEY)))
        assert caught.kind == "bad_key"
        assert KEY not in str(caught)
        assert "***" in str(caught)

    @pytest.mark.parametrize("key", ["sk-ключ", "sk-line\nbreak", "sk-\x00"])
    def test_key_that_cannot_be_sent(self, server: OpenAIServer, key: str) -> None:
        caught = failure(LLMClient(llm_settings(server, api_key=key)))
        assert caught.kind == "bad_key"
        assert key not in str(caught)

    def test_key_is_sent(self, server: OpenAIServer) -> None:
        server.key = KEY
        assert LLMClient(llm_settings(server, api_key=KEY)).complete(MESSAGES, 5).text

    def test_nothing_is_taken_from_the_variables_of_the_library(
        self, server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
            monkeypatch.setenv(name, "of-somebody-else")
        LLMClient(llm_settings(server)).complete(MESSAGES, 5)
        assert "of-somebody-else" not in str(server.headers[0])
        assert "authorization" not in server.headers[0]

    def test_password_in_the_address(self, server: OpenAIServer) -> None:
        address = server.url.replace("//", "//user:secret@")
        server.default = Reply(status=400)
        caught = failure(LLMClient(LLMSettings(base_url=address)))
        assert "secret" not in str(caught)


def let_time_pass(client: LLMClient) -> None:
    """Ten minutes are over since the circuit opened."""
    storage = client._breaker._storage
    assert storage.opened_at is not None
    storage.opened_at -= timedelta(seconds=601)


class TestBreaker:
    def test_opens_after_failures_in_a_row(self, server: OpenAIServer) -> None:
        server.default = Reply(status=500)
        client = LLMClient(llm_settings(server, breaker_failures=3, breaker_seconds=600))
        kinds = [failure(client).kind for _ in range(5)]
        assert kinds == ["server_error"] * 3 + ["circuit_open"] * 2
        assert len(server.requests) == 3

    def test_success_and_refusals_start_the_count_again(self, server: OpenAIServer) -> None:
        down, refusal, fine = Reply(status=500), Reply(status=400), Reply()
        server.script = [down, refusal, down, fine, down, refusal, refusal, refusal]
        client = LLMClient(llm_settings(server, breaker_failures=2, breaker_seconds=600))
        kinds = []
        for _ in range(8):
            try:
                kinds.append(client.complete(MESSAGES, 5).finish_reason)
            except AnswererError as error:
                kinds.append(error.kind)
        assert "circuit_open" not in kinds
        assert len(server.requests) == 8

    def test_closes_after_a_good_trial(self, server: OpenAIServer) -> None:
        server.script = [Reply(status=500)]
        client = LLMClient(llm_settings(server, breaker_failures=1, breaker_seconds=600))
        failure(client)
        assert failure(client).kind == "circuit_open"
        let_time_pass(client)
        assert client.complete(MESSAGES, 5).text
        server.script = [Reply(status=400)]
        failure(client)
        assert client.complete(MESSAGES, 5).text

    def test_opens_again_after_a_bad_trial(self, server: OpenAIServer) -> None:
        server.default = Reply(status=500)
        client = LLMClient(llm_settings(server, breaker_failures=2, breaker_seconds=600))
        assert [failure(client).kind for _ in range(3)][-1] == "circuit_open"
        let_time_pass(client)
        # one trial, not as many failures as at first
        assert [failure(client).kind for _ in range(2)] == ["server_error", "circuit_open"]

    def test_one_trial_at_a_time(self, server: OpenAIServer) -> None:
        server.script = [Reply(status=500), Reply(hang=1)]
        client = LLMClient(llm_settings(server, breaker_failures=1, breaker_seconds=600))
        failure(client)
        assert failure(client).kind == "circuit_open"
        let_time_pass(client)
        trial = client.stream(MESSAGES, 5)
        assert next(trial) == "Forty-two "
        assert failure(client).kind == "circuit_open"
        trial.close()
        assert client.complete(MESSAGES, 5).text

    def test_streams_do_not_wait_for_each_other(self, server: OpenAIServer) -> None:
        server.script = [Reply(hang=1)]
        client = LLMClient(llm_settings(server))
        first = client.stream(MESSAGES, 5)
        next(first)
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(client.complete, MESSAGES, 5).result(timeout=10).text
        first.close()

    def test_breaking_off_counts(self, server: OpenAIServer) -> None:
        server.default = Reply(finish="abort")
        client = LLMClient(llm_settings(server, breaker_failures=2, breaker_seconds=600))
        assert [failure(client).kind for _ in range(3)][-1] == "circuit_open"


def test_many_threads(server: OpenAIServer) -> None:
    client = LLMClient(llm_settings(server))
    with ThreadPoolExecutor(16) as pool:
        texts = list(pool.map(lambda _: client.complete(MESSAGES, 5).text, range(64)))
    assert set(texts) == {"Forty-two days [1]."}
    assert len(server.requests) == 64


def test_waits_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from tenacity import Future, RetryCallState, Retrying

    monkeypatch.setattr(client_module, "FIRST_WAIT", 0.5)
    longest = []
    for attempt in (1, 2, 3, 12):
        state = RetryCallState(Retrying(), None, (), {})
        state.attempt_number = attempt
        state.outcome = Future(attempt)
        state.outcome.set_exception(ValueError())
        longest.append(max(client_module._wait(state) for _ in range(300)))
    assert longest == sorted(longest)
    assert longest[0] <= 0.5
    assert longest[-1] <= client_module.LONGEST_WAIT
