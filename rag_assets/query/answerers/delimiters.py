"""Delimiters: where a passage begins and ends in a prompt, and texts that cannot make one.

The lines around a passage carry a code: a keyed hash of its number and content. Nobody who lacks the
key can tell a content's code, so no document can hold its own; a code that an author has seen is of no
use, for a content that is changed to hold it has another. It is the same whenever the same passage is
read under the same number, so that servers can reuse the prefix of a prompt.
"""

import hashlib
import hmac
import logging
import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from rag_assets.encoders.tokenizer import without_lone_surrogates
from rag_assets.platform.errors import RaglineError
from rag_assets.platform.fingerprint import canonical_json
from rag_assets.platform.platform import Platform

logger = logging.getLogger(__name__)

KEY_BYTES = 32
CODE_DIGITS = 16  # hexadecimal: 64 bits
PURPOSE = b"delimiters of passages in prompts"
WORD_JOINER = "\u2060"  # invisible, of no width
# what models read as the end of a turn, a role or an instruction: the character to cut after
CONTROL_TOKENS = re.compile(
    r"(<)(?=[|｜][^\s<>|｜]{1,60}[|｜]?>)"  # <|im_start|>, <｜User｜>
    r"|(<)(?=/?(?:s|bos|eos|pad|unk|mask|think|tool_call|tool_response|start_of_turn|end_of_turn"
    r"|start_of_image|image|system|user|assistant|reserved_\w+|unused\d+)>)"
    r"|(<)(?=</?SYS>>)"
    r"|(\[)(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|TOOL_CONTENT|IMG"
    r"|gMASK|sMASK|MASK|CLS|SEP|PAD|UNK|BOS|EOS)\])",
    re.IGNORECASE,
)
DELIMITER = re.compile(r"(=)(?==+[ \t]*passage)", re.IGNORECASE)


class Delimiters:
    """Encloses passages; safe to use from several threads.

    Args:
        key: tells the key, at the first passage; default, and where it cannot be told: one is drawn.
    """

    def __init__(self, key: Callable[[], bytes] | None = None) -> None:
        self._tell = key or partial(secrets.token_bytes, KEY_BYTES)
        self._key = b""

    def code(self, number: int, content: str) -> str:
        """The code of a passage: the same for the same number and content, else another."""
        message = f"{number}\n{content}".encode()
        return hmac.new(self._secret(), message, hashlib.sha256).hexdigest()[:CODE_DIGITS]

    def enclose(
        self, passages: Sequence[tuple[int, str]], question: str = ""
    ) -> tuple[list[str], str]:
        """Put passages between their delimiters.

        Args:
            passages: number and text of each.
            question: stands in the same message.

        Returns:
            The blocks, and the question: none of the texts holds a control token, a delimiter, or the
            code of any of these passages.
        """
        contents = [(number, neutralise(text)) for number, text in passages]
        codes = [self.code(number, content) for number, content in contents]
        blocks = [
            f"{begin_line(number, code)}\n{without_codes(content, codes)}\n{end_line(number, code)}"
            for (number, content), code in zip(contents, codes, strict=True)
        ]
        return blocks, without_codes(neutralise(question), codes)

    def _secret(self) -> bytes:
        """The key, settled at the first passage: one that changed would change every prefix."""
        if not self._key:
            try:
                self._key = self._tell()
            except (RaglineError, SQLAlchemyError, OSError) as error:
                # no answer fails for it: only this process's prefixes are nobody else's
                logger.warning("Prompts get delimiters with a key of this process: %s", error)
                self._key = secrets.token_bytes(KEY_BYTES)
        return self._key


def shared_key(platform: Platform) -> bytes:
    """The key of a deployment: the same in all its processes, and after a restart.

    It is derived from the deployment's id, which was drawn at random, and from secrets of the settings,
    for those who have seen the id.

    Raises:
        ConfigurationError, DatabaseUnavailable, StorageError: the id cannot be read.
    """
    settings = platform.settings
    parts = [
        platform.deployment_id,
        settings.database_url.get_secret_value(),
        settings.llm.api_key.get_secret_value(),
        settings.privacy.hash_key.get_secret_value(),
    ]
    return hmac.new(PURPOSE, canonical_json(parts).encode(), hashlib.sha256).digest()


def begin_line(number: int | str, code: str) -> str:
    """The line before a passage."""
    return f"=== passage {number} begins {code} ==="


def end_line(number: int | str, code: str) -> str:
    """The line after a passage."""
    return f"=== passage {number} ends {code} ==="


def neutralise(text: str) -> str:
    """Break what a model could take for its own control tokens, or for our delimiters.

    An invisible character is put into them: a person reads the same text as before.
    """
    text = without_lone_surrogates(text)
    for pattern in (CONTROL_TOKENS, DELIMITER):
        text = pattern.sub(lambda match: match.group() + WORD_JOINER, text)
    return text


def without_codes(text: str, codes: Sequence[str]) -> str:
    """Break every code that a text holds: it may have been seen in an answer, or been guessed."""
    for code in codes:
        if code in text:
            # by what comes next, so that occurrences which overlap are broken too
            text = re.sub(f"{code[0]}(?={code[1:]})", code[0] + WORD_JOINER, text)
    return text
