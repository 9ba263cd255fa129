"""What goes to a chat server and what comes back."""

from dataclasses import dataclass

Message = dict[str, str]


@dataclass(frozen=True)
class Completion:
    """What a model wrote.

    Attributes:
        prompt_tokens, completion_tokens: as the server counted them; 0 when it does not say.
        model: the model that the server names.
        finish_reason: ``stop``, or ``length`` when the text was cut at the token limit.
    """

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    model: str = ""
    finish_reason: str = "stop"
