"""What clients of OpenAI's chat completions send and get, as far as it means something here."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from .answers import AnswerOut


class TextPart(BaseModel):
    """A part of a message; what is no text is left out."""

    model_config = ConfigDict(extra="allow")

    type: str = "text"
    text: str | None = None


class ChatMessage(BaseModel):
    """One message of the conversation."""

    model_config = ConfigDict(extra="allow")

    role: str
    content: str | list[TextPart] | None = None

    @property
    def text(self) -> str:
        """All of its text."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content if part.text)
        return self.content or ""


class StreamOptions(BaseModel):
    """What a stream tells besides the answer."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool | None = Field(default=None, description="A last chunk with the usage.")


class RaglineOptions(BaseModel):
    """Our own options (with the `openai` client: `extra_body={"ragline": {...}}`)."""

    model_config = ConfigDict(extra="forbid")

    filter: str = Field(default="", description="Only documents that satisfy it.")
    limit: int | None = Field(default=None, ge=1, le=100, description="Passages to read.")
    task: str = Field(default="", description="Prompt template; default query.task.")
    release: int | None = Field(default=None, ge=1, le=2**31 - 1, description="Ask this release.")
    as_of: str = Field(default="", description="Ask the release that was live then.")
    notes: bool = Field(default=True, description="Sources as Markdown at the end of the answer.")


class ChatRequest(BaseModel):
    """A request of OpenAI's chat completions; parameters that mean nothing here are accepted."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "model": "ragline",
                    "messages": [{"role": "user", "content": "How much may a room cost?"}],
                }
            ]
        },
    )

    model: str
    messages: list[ChatMessage] = Field(min_length=1)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(default=None, ge=1, le=1, description="One answer is given.")
    ragline: RaglineOptions = RaglineOptions()


class ChatAnswer(BaseModel):
    """What the model says."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one answer."""

    index: int = 0
    message: ChatAnswer
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatUsage(BaseModel):
    """Tokens of the language model; zero where sentences are quoted."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class ChatCompletion(BaseModel):
    """A chat completion; `ragline` is the whole answer with its citations."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage
    system_fingerprint: str = Field(description="The release that was asked.")
    ragline: AnswerOut


class ModelOut(BaseModel):
    """One way to answer, as a model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["ragline"] = "ragline"


class ModelList(BaseModel):
    """The ways to answer."""

    object: Literal["list"] = "list"
    data: list[ModelOut]


class ErrorDetail(BaseModel):
    """What went wrong, as OpenAI says it."""

    message: str
    type: str
    param: str | None
    code: str | None
    request_id: str


class ErrorOut(BaseModel):
    """An error in OpenAI's shape."""

    error: ErrorDetail


DESCRIPTIONS = {
    400: "The request does not fit what is expected.",
    401: "Credentials are missing or do not hold.",
    403: "The caller may not do this.",
    404: "There is no such model or release.",
    413: "The body is larger than it may be.",
    429: "A limit of the caller is used up.",
    500: "Something went wrong that is not the request's fault.",
    503: "What an answer needs is missing now, or everything is busy.",
}


def openai_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route that speaks like OpenAI."""
    wanted = statuses or tuple(DESCRIPTIONS)
    return {status: {"model": ErrorOut, "description": DESCRIPTIONS[status]} for status in wanted}
