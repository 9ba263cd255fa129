"""The LLM answerer and its client against a real vLLM server, which is stopped, frozen and killed."""

import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import cast

import pytest
from jinja2 import Template
from tokenizers import Tokenizer

from rag_assets.platform.settings import LLMSettings, QuerySettings
from rag_assets.query.answerers.base import (
    AnswererRefused,
    AnswererUnavailable,
    AnswerRequest,
    Draft,
    Token,
)
from rag_assets.query.answerers.client import Completion, LLMClient
from rag_assets.query.answerers.llm import LLMAnswerer
from rag_assets.query.answerers.structured import StructuredAnswer, answer_schema
from tests.query.answerers.passages import make_request
from tests.vllm.model import CHAT_TEMPLATE, MAX_TOKENS
from tests.vllm.server import VLLMServer

Answering = Generator[Token | Draft, None, None]

pytestmark = pytest.mark.vllm

PAGE = (
    20 * "A room in London may cost 165 pounds a night; the line manager approves more than that. "
)
MESSAGES = [
    {"role": "system", "content": "You answer questions about the travel policy."},
    {"role": "user", "content": "How much may a room in London cost me? Ünïcode ☂ too."},
]
SHORT = 24
LONG = MAX_TOKENS // 2  # the most an answerer asks for: several seconds of generation


def llm_settings(server: VLLMServer, **values: object) -> LLMSettings:
    """Settings for the server; patient, for it shares the machine with everything else."""
    patient = {
        "timeout_seconds": 60,
        "total_seconds": 300,
        "retries": 0,
        "max_answer_tokens": SHORT,
    }
    return LLMSettings(base_url=server.url, **{**patient, **values})  # type: ignore[arg-type]


def make_answerer(server: VLLMServer, **values: object) -> LLMAnswerer:
    return LLMAnswerer(llm_settings(server, **values), QuerySettings())


def read(answerer: LLMAnswerer, request: AnswerRequest) -> tuple[list[str], Draft]:
    """The tokens of an answer and its draft, which is to come last and once."""
    *tokens, draft = answerer.answer(request)
    assert isinstance(draft, Draft)
    assert all(isinstance(token, Token) for token in tokens)
    return [token.text for token in tokens if isinstance(token, Token)], draft


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "did not happen within a minute"
        time.sleep(0.05)


def broken_or_whole(answer: Answering) -> str:
    """How an answer whose server dies ends: the failure's kind, or ``whole``.

    A server that is asked to stop may end its answer first; then the draft must be as long as was
    asked for. A part of it must never be taken for an answer.
    """
    try:
        *_, draft = answer
    except AnswererUnavailable as failure:
        return failure.kind
    assert isinstance(draft, Draft)
    assert (draft.completion_tokens, draft.finish_reason) == (LONG, "length")
    return "whole"


@contextmanager
def long_answer(server: VLLMServer) -> Iterator[Answering]:
    """A long answer whose first token has come; five seconds of silence are too many for it."""
    answerer = make_answerer(server, max_answer_tokens=LONG, timeout_seconds=5)
    read(make_answerer(server), make_request())  # the first answers of a server are slow
    with server.slowed(), closing(cast(Answering, answerer.answer(make_request()))) as answer:
        assert isinstance(next(answer), Token)
        yield answer


@pytest.fixture
def started(vllm_server: VLLMServer) -> Iterator[Answering]:
    with long_answer(vllm_server) as answer:
        yield answer


class TestAnAnswer:
    def test_is_streamed_and_its_tokens_joined_are_its_text(self, vllm_server: VLLMServer) -> None:
        tokens, draft = read(make_answerer(vllm_server), make_request())

        assert len(tokens) > SHORT // 2
        assert "".join(tokens) == draft.text
        assert draft.text.strip()
        assert draft.model == vllm_server.model

    def test_is_cut_at_the_token_limit_and_says_so(self, vllm_server: VLLMServer) -> None:
        _, draft = read(make_answerer(vllm_server), make_request())

        assert draft.finish_reason == "length"
        assert draft.completion_tokens == SHORT

    def test_that_ends_by_itself_says_so(self, vllm_server: VLLMServer) -> None:
        answerer = make_answerer(vllm_server, temperature=1, max_answer_tokens=LONG)

        _, draft = read(answerer, make_request())

        assert draft.finish_reason == "stop"
        assert 0 < draft.completion_tokens < LONG

    def test_passages_that_were_read_before_are_not_read_again(
        self, vllm_server: VLLMServer
    ) -> None:
        texts = [f"{page} {PAGE}" for page in range(4)]  # no other test begins with these
        answerer = make_answerer(vllm_server)
        _, draft = read(answerer, make_request("How much may a room cost?", texts))

        before = vllm_server.cached_tokens()
        read(answerer, make_request("Who approves more than that?", texts))
        # whole blocks are kept, and the question at the end is another one
        assert vllm_server.cached_tokens() - before > 0.8 * draft.prompt_tokens

        before = vllm_server.cached_tokens()
        read(make_answerer(vllm_server), make_request("How much may a room cost?", texts))
        # with a key of its own, an answerer shares the instructions at most
        assert vllm_server.cached_tokens() - before < 0.5 * draft.prompt_tokens

    def test_answers_of_several_threads_do_not_mix(self, vllm_server: VLLMServer) -> None:
        answerer = make_answerer(vllm_server)
        requests = [make_request(texts=[PAGE] * passages) for passages in (1, 2, 3, 4)]

        with ThreadPoolExecutor(len(requests)) as pool:
            drafts = [draft for _, draft in pool.map(lambda r: read(answerer, r), requests)]

        prompts = [draft.prompt_tokens for draft in drafts]
        assert prompts == sorted(set(prompts)), "a longer request has a longer prompt"
        assert [draft.completion_tokens for draft in drafts] == [SHORT] * len(requests)

    def test_closing_it_ends_the_generation(self, vllm_server: VLLMServer) -> None:
        before = vllm_server.generated_tokens()
        answer = make_answerer(vllm_server, max_answer_tokens=LONG).answer(make_request())
        with vllm_server.slowed():
            assert isinstance(next(answer), Token)

            cast(Answering, answer).close()

            wait_until(lambda: vllm_server.running_requests() == 0)
        assert vllm_server.generated_tokens() - before < LONG // 2


class TestUsage:
    def test_prompt_tokens_are_those_of_the_models_tokenizer(self, vllm_server: VLLMServer) -> None:
        tokenizer = Tokenizer.from_file(str(vllm_server.folder / "tokenizer.json"))
        prompt = Template(CHAT_TEMPLATE).render(messages=MESSAGES, add_generation_prompt=True)

        completion = LLMClient(llm_settings(vllm_server)).complete(MESSAGES, SHORT)

        assert completion.prompt_tokens == len(tokenizer.encode(prompt).ids)

    @pytest.mark.parametrize("limit", [1, 7, 40])
    def test_completion_tokens_are_those_that_were_written(
        self, vllm_server: VLLMServer, limit: int
    ) -> None:
        client = LLMClient(llm_settings(vllm_server))

        *pieces, completion = client.stream(MESSAGES, limit)

        assert isinstance(completion, Completion)
        assert completion.completion_tokens == limit
        assert "".join(str(piece) for piece in pieces) == completion.text


class TestTheModel:
    def test_is_found_where_the_server_has_only_one(self, vllm_server: VLLMServer) -> None:
        answerer = make_answerer(vllm_server)

        answerer.warm_up()

        assert answerer.name == f"llm:{vllm_server.model}"
        assert answerer.client.context_window() == MAX_TOKENS

    def test_of_another_name_is_refused(self, vllm_server: VLLMServer) -> None:
        answerer = make_answerer(vllm_server, model="no-such-model")

        with pytest.raises(AnswererRefused) as caught:
            read(answerer, make_request())

        assert caught.value.kind == "unknown_model"


class TestStructuredAnswers:
    def test_follow_the_schema_every_time(self, vllm_server: VLLMServer) -> None:
        client = LLMClient(llm_settings(vllm_server, temperature=1))
        contents = [f"Question {number}?" for number in range(8)]

        def ask(content: str) -> Completion:
            return client.complete([{"role": "user", "content": content}], 1024, answer_schema())

        with ThreadPoolExecutor(4) as pool:
            completions = list(pool.map(ask, contents))

        assert {completion.finish_reason for completion in completions} == {"stop"}
        for completion in completions:
            StructuredAnswer.model_validate_json(completion.text, strict=True)

    def test_become_text_with_markers(self, vllm_server: VLLMServer) -> None:
        answerer = make_answerer(
            vllm_server, structured=True, temperature=1, max_answer_tokens=LONG
        )

        tokens, draft = read(answerer, make_request())

        assert "".join(tokens) == draft.text
        assert draft.text.strip()
        assert "{" not in draft.text
        assert draft.finish_reason == "stop"
        assert draft.completion_tokens > 0


class TestALongPrompt:
    @pytest.mark.parametrize("exact", [True, False], ids=["tokenizer", "estimate"])
    def test_is_cut_to_what_the_model_reads(self, vllm_server: VLLMServer, exact: bool) -> None:
        path = str(vllm_server.folder / "tokenizer.json") if exact else ""
        answerer = make_answerer(vllm_server, tokenizer=path)

        _, one = read(answerer, make_request(texts=[PAGE]))
        _, many = read(answerer, make_request(texts=[PAGE] * 40))

        assert one.prompt_tokens < many.prompt_tokens <= MAX_TOKENS - SHORT
        assert many.completion_tokens == SHORT

    def test_fills_the_window_where_tokens_are_counted_exactly(
        self, vllm_server: VLLMServer
    ) -> None:
        answerer = make_answerer(vllm_server, tokenizer=str(vllm_server.folder / "tokenizer.json"))

        _, draft = read(answerer, make_request(texts=[PAGE] * 40))

        assert draft.prompt_tokens > 0.85 * (MAX_TOKENS - SHORT)

    def test_that_the_server_refuses_is_halved_and_sent_again(
        self, vllm_server: VLLMServer
    ) -> None:
        mistaken = make_answerer(vllm_server, context_window=100 * MAX_TOKENS)
        _, one = read(mistaken, make_request(texts=[PAGE]))
        _, two = read(mistaken, make_request(texts=[PAGE] * 2))
        each = two.prompt_tokens - one.prompt_tokens
        too_many = int(1.5 * (MAX_TOKENS - one.prompt_tokens) / each)

        _, draft = read(mistaken, make_request(texts=[PAGE] * too_many))

        assert one.prompt_tokens + each < draft.prompt_tokens < MAX_TOKENS

    def test_of_raw_messages_is_refused_by_its_name(self, vllm_server: VLLMServer) -> None:
        client = LLMClient(llm_settings(vllm_server))
        content = PAGE * (MAX_TOKENS // 200)

        with pytest.raises(AnswererRefused) as caught:
            client.complete([{"role": "user", "content": content}], SHORT)

        assert caught.value.kind == "prompt_too_long"


class TestASilentServer:
    def test_in_mid_answer_is_given_up(self, vllm_server: VLLMServer) -> None:
        with long_answer(vllm_server) as answer, vllm_server.frozen():
            kind = broken_or_whole(answer)

        assert kind == "timeout"

    def test_before_the_first_token_is_given_up_and_asked_again_later(
        self, vllm_server: VLLMServer
    ) -> None:
        request = make_request()
        hasty = make_answerer(vllm_server, timeout_seconds=2, context_window=MAX_TOKENS)

        with vllm_server.frozen():
            with pytest.raises(AnswererUnavailable) as caught:
                read(hasty, request)
        _, draft = read(make_answerer(vllm_server), request)

        assert caught.value.kind == "timeout"
        assert draft.completion_tokens == SHORT


class TestADyingServer:
    """Last, for each of these needs a server of its own."""

    def test_that_is_asked_to_stop_in_mid_answer_never_seems_to_have_answered(
        self, vllm_server: VLLMServer, started: Answering
    ) -> None:
        vllm_server.terminate()

        kind = broken_or_whole(started)

        vllm_server.stop()
        # its processes end in no fixed order: it says so, or an error, or nothing any more
        assert kind in {"broken_off", "server_error", "timeout", "whole"}

    def test_that_is_killed_in_mid_answer_broke_off_and_is_then_unreachable(
        self, vllm_server: VLLMServer, started: Answering
    ) -> None:
        vllm_server.kill()

        kind = broken_or_whole(started)
        with pytest.raises(AnswererUnavailable) as gone:
            read(make_answerer(vllm_server), make_request())

        assert kind == "broken_off"
        assert gone.value.kind == "unreachable"
