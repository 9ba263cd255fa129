"""Personal data in texts: what is found, what stands in its place, and where the pages are then."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import PrivacySettings, Settings, SourceSettings
from rag_assets.privacy.redaction import (
    Redacted,
    RedactionFailed,
    Redactor,
    redaction_fingerprint,
    redactor_of,
)

pytest.importorskip("presidio_analyzer")
KEY = "a long random text of the test"


@pytest.fixture(scope="module")
def masking() -> Redactor:
    return Redactor(PrivacySettings(), "mask")


@pytest.fixture(scope="module")
def hashing() -> Redactor:
    return Redactor(PrivacySettings(hash_key=KEY), "hash")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Write to jane.doe@example.com.", "Write to [EMAIL_ADDRESS]."),
        (r"Write to jane\_doe@example.com now", "Write to [EMAIL_ADDRESS] now"),
        (
            "[jane@corp.internal](mailto:jane@corp.internal)",
            "[[EMAIL_ADDRESS]](mailto:[EMAIL_ADDRESS])",
        ),
        ("Call +49 30 901820 or (212) 555-0143", "Call [PHONE_NUMBER] or [PHONE_NUMBER]"),
        ("IBAN DE89 3704 0044 0532 0130 00 please", "IBAN [IBAN_CODE] please"),
        ("card 4111 1111 1111 1111 ok", "card [CREDIT_CARD] ok"),
        ("from 192.168.10.77 and 2001:db8::1", "from [IP_ADDRESS] and [IP_ADDRESS]"),
        ("served at http://127.0.0.1:8080", "served at http://127.0.0.1:8080"),
        ("24 days, 1,200 EUR, § 12, version 2.4, 2026-03-01", None),
        ("Ärzte 🙂 jo@example.org 🙂", "Ärzte 🙂 [EMAIL_ADDRESS] 🙂"),
        ("", None),
    ],
)
def test_what_is_found_and_what_is_not(masking: Redactor, text: str, expected: str | None) -> None:
    assert masking.redact(text).text == (text if expected is None else expected)


def test_pseudonyms_are_stable_and_depend_on_the_key(hashing: Redactor) -> None:
    one = hashing.redact("Ask jane@example.com or JANE@Example.com, not joe@example.com.").text
    names = re.findall(r"\[EMAIL_ADDRESS:([a-z]{10})\]", one)
    assert len(names) == 3
    assert names[0] == names[1] != names[2]
    spaced, joined = (
        hashing.redact(text).text
        for text in ("DE89 3704 0044 0532 0130 00", "DE89370400440532013000")
    )
    assert spaced == joined
    other = Redactor(PrivacySettings(hash_key="another key"), "hash")  # type: ignore[arg-type]
    assert other.redact("jane@example.com").text not in one
    other.close()


def test_values_keep_their_shape(masking: Redactor) -> None:
    value = {"owner": "jane@example.com", "n": 3, "list": ["a", {"mail": "joe@example.com"}]}
    assert masking.value(value) == {
        "owner": "[EMAIL_ADDRESS]",
        "n": 3,
        "list": ["a", {"mail": "[EMAIL_ADDRESS]"}],
    }


PLANTS = ["jane@example.com", "DE89 3704 0044 0532 0130 00", "4111 1111 1111 1111", "+49 30 901820"]
PIECES = st.lists(
    st.one_of(
        st.sampled_from(PLANTS),
        st.text(alphabet="abc ÄÖ🙂\n", max_size=12),
        st.just("\n\n## Heading\n\n"),
    ),
    max_size=12,
)


def test_offsets_follow_their_text_and_redacting_twice_changes_nothing(masking: Redactor) -> None:
    @given(pieces=PIECES)
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    def judge(pieces: list[str]) -> None:
        # a mark before every piece: its place is known before and after
        text, places = "", []
        for number, piece in enumerate(pieces):
            places.append(len(text))
            text += f"<{chr(0x4E00 + number)}> {piece} "
        redacted = masking.redact(text)
        for number, place in enumerate(redacted.offsets(places)):
            assert redacted.text[place : place + 3] == f"<{chr(0x4E00 + number)}>"
        assert not [plant for plant in PLANTS if plant in redacted.text]
        assert redacted.text.count("[") == sum(piece in PLANTS for piece in pieces)
        assert masking.redact(redacted.text) == Redacted(redacted.text)

    judge()


def test_a_program_that_dies_is_an_error_and_the_next_text_starts_another() -> None:
    with Redactor(PrivacySettings(), "mask") as redactor:
        assert redactor.redact("a@example.com").text == "[EMAIL_ADDRESS]"
        assert redactor._process is not None
        redactor._process.kill()
        redactor._process.wait()
        with pytest.raises(RedactionFailed):
            redactor.redact("b@example.com")
        assert redactor.redact("c@example.com").text == "[EMAIL_ADDRESS]"


def test_no_program_is_started_for_texts_without_anything_to_look_at(tmp_path: object) -> None:
    redactor = Redactor(PrivacySettings(), "mask")
    assert redactor.redact("A policy of 24 days.").text == "A policy of 24 days."
    assert redactor._process is None


def test_the_fingerprint_changes_with_what_changes_the_text() -> None:
    def of(mode: str = "mask", **privacy: object) -> str:
        source = SourceSettings(path="documents", personal_data=mode)  # type: ignore[arg-type]
        made = Settings(sources={"docs": source}, privacy=PrivacySettings(**privacy))  # type: ignore[arg-type]
        return redaction_fingerprint(made, "docs")

    assert of("off") == ""
    prints = [
        of(),
        of(entities=["EMAIL_ADDRESS"]),
        of(phone_regions=["DE"]),
        of("hash", hash_key=KEY),
        of("hash", hash_key=KEY + "2"),
    ]
    assert len({*prints, ""}) == 6
    assert of(logs="off") == of()
    assert KEY not in "".join(prints)


def test_hash_without_a_key_is_refused() -> None:
    source = SourceSettings(path="documents", personal_data="hash")
    with pytest.raises(ConfigurationError, match="RAG_PRIVACY__HASH_KEY"):
        redactor_of(Settings(sources={"docs": source}), "docs")
