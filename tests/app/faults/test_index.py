"""The folder of the index cannot be read: no answer is made up, and it is found again."""

from .asking import QUESTION, QUOTED, Caller, errors_of, eventually, measured


def test_an_index_that_cannot_be_read_is_said_and_found_again(uploader: Caller) -> None:
    assert QUOTED in uploader.ask().body["answer"]
    index = uploader.service.folder / ".ragline" / "lancedb"
    away = index.rename(index.with_name("away"))
    try:
        # for a second more what is open may be read
        eventually(lambda: uploader.ask().status == 503, "a word")
        seen = uploader.ask()
        measured("index: away, answer", seen.seconds)
        search = uploader.send("POST", "/v1/search", json={"query": QUESTION})
        assert (seen.status, seen.kind) == (503, "index-unavailable")
        assert int(seen.headers["Retry-After"]) > 0
        assert (search.status, search.kind) == (503, "index-unavailable")
        eventually(lambda: uploader.missing() == ["release", "index"], "said by /readyz")
    finally:
        away.rename(index)
    took = eventually(lambda: uploader.ask().status == 200, "an answer")
    measured("index: back, answers again", took)
    assert uploader.ask().degraded == []
    eventually(lambda: not uploader.missing(), "ready")
    assert not list(errors_of(uploader.service))
