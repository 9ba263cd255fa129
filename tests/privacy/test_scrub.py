"""Personal data in short texts: log lines, details of the audit log, comments."""

import json
import logging
import sys

import pytest

from rag_app.telemetry.logs import log_config, make_formatter
from rag_assets.platform.errors import ConfigurationError
from rag_assets.platform.settings import PrivacySettings, Settings
from rag_assets.privacy.pseudonyms import replacement
from rag_assets.privacy.scrub import Scrubber

KEY = "the key of the test"
WHO = "jane.doe@example.com"
PSEUDONYM = replacement("EMAIL_ADDRESS", WHO, KEY.encode())


def privacy(mode: str, key: str = KEY) -> PrivacySettings:
    return PrivacySettings(logs=mode, hash_key=key)  # type: ignore[arg-type]


def test_hash_writes_the_pseudonym_that_documents_have_and_only_with_the_same_key() -> None:
    scrub = Scrubber(privacy("hash"))
    assert PSEUDONYM.startswith("[EMAIL_ADDRESS:")
    assert scrub(f"asked by {WHO}, not by john@example.com") == (
        f"asked by {PSEUDONYM}, not by "
        f"{replacement('EMAIL_ADDRESS', 'john@example.com', KEY.encode())}"
    )
    assert scrub(WHO.upper()) == PSEUDONYM
    assert Scrubber(privacy("hash", "another"))(WHO) != PSEUDONYM


@pytest.mark.parametrize(
    ("mode", "kept"), [("off", WHO), ("mask", "[EMAIL_ADDRESS]"), ("hash", PSEUDONYM)]
)
def test_every_mode_holds_for_texts_inside_of_values(mode: str, kept: str) -> None:
    value = {"who": WHO, "inner": [{"said": f"I am {WHO}."}], "number": 3, "none": None}
    found = Scrubber(privacy("mask"), mode).value(value)  # type: ignore[arg-type]
    assert found == {"who": kept, "inner": [{"said": f"I am {kept}."}], "number": 3, "none": None}


def test_what_stands_in_its_place_is_no_personal_data() -> None:
    scrub = Scrubber(privacy("hash"))
    text = (
        "jane@example.com, +44 20 7946 0958, DE89370400440532013000, 4111 1111 1111 1111, 8.8.8.8"
    )
    once = scrub(text)
    assert not any(part in once for part in ("jane", "7946", "DE89", "4111", "8.8.8.8"))
    assert scrub(once) == once


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_of_the_log_has_the_pseudonym_in_message_and_traceback(form: str) -> None:
    formatter = make_formatter(Settings(privacy=privacy("hash"), telemetry={"log_format": form}))
    try:
        raise ValueError(f"no account of {WHO}")
    except ValueError:
        record = logging.LogRecord(
            "rag_app", logging.ERROR, __file__, 1, "mail to %s", (WHO,), sys.exc_info()
        )
    line = formatter.format(record)
    assert WHO not in line
    assert line.count(PSEUDONYM) == 2
    if form == "json":
        assert json.loads(line)["message"] == f"mail to {PSEUDONYM}"


def test_hash_without_a_key_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"privacy\.hash_key is empty"):
        log_config(Settings(privacy=privacy("hash", "")))
