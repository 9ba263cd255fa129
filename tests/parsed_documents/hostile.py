"""An extractor for tests: text files whose content says how to misbehave."""

import os
import time

from rag_assets.parsed_documents.outcome import Extracted, Outcome

_READ: list[str] = []  # what this process has read; a test wants to know whether it is the first


def extract(content: bytes, media_type: str, file_name: str, *, max_text_bytes: int) -> Outcome:
    """Hang, allocate without limit, abort, vanish, be slow, or read the file well."""
    text = content.decode()
    verb = text.split(" ")[0]
    if verb == "hang":
        time.sleep(3600)
    if verb == "allocate":
        hoard = []
        while True:
            hoard.append(bytearray(16 << 20))
    if verb == "abort":
        os.abort()
    if verb == "vanish":
        os._exit(0)
    if verb == "slow":
        time.sleep(0.2)
    if verb == "pid":
        text = str(os.getpid())
    if verb == "second" and _READ:
        os.abort()
    _READ.append(text)
    return Extracted(text, parser="hostile")
