"""A pace for the tiny model, which would write hundreds of tokens a second; runs inside vLLM.

The part of vLLM that serves HTTP passes nothing on, and hears of nobody who leaves, for as long as
the part that writes is ahead of it. For a model this small, on a busy machine, that is until the
whole answer is written: nothing could be seen to happen in the midst of one.
"""

import time
from pathlib import Path
from typing import Any

from vllm.v1.sample.logits_processor import LogitsProcessor

SLOW = Path("slow")  # in the folder that the server runs in
SECONDS = 0.05  # for each token


class Pace(LogitsProcessor):
    """Waits before each token while the file ``slow`` is there; changes no token."""

    def __init__(self, *args: Any) -> None:
        pass

    def apply(self, logits: Any) -> Any:
        """The same logits, after a while."""
        if SLOW.exists():
            time.sleep(SECONDS)
        return logits

    def is_argmax_invariant(self) -> bool:
        """False, or it would not be called where the likeliest token is taken."""
        return False

    def update_state(self, batch_update: Any) -> None:
        """It keeps nothing of a request."""
