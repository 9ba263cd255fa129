"""RFC 9457 problem documents, as the OpenAPI document describes them."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class InvalidField(BaseModel):
    """One thing in a request that does not fit."""

    field: str
    location: str = Field(alias="in", description="body, query, path or header")
    message: str


class Problem(BaseModel):
    """An error: what happened, and what to do next (RFC 9457)."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "urn:ragline:problem:no-release",
                    "title": "No release",
                    "status": 404,
                    "detail": "Nothing has been released yet.",
                    "hint": "Run 'ragline ingest' first.",
                    "instance": "/v1/ask",
                    "request_id": "6b1e…",
                }
            ]
        },
    )

    type: str = Field(description="urn:ragline:problem:<kind>; see docs/api.md for the kinds.")
    title: str
    status: int
    detail: str = Field(default="", description="What happened.")
    hint: str = Field(default="", description="What to do about it.")
    instance: str = Field(default="", description="The path of the request.")
    request_id: str = Field(description="As in the header X-Request-ID and in the logs.")
    errors: list[InvalidField] = Field(default=[], description="422: what does not fit.")


DESCRIPTIONS = {
    401: "Credentials are missing or do not hold.",
    403: "The caller may not do this.",
    404: "There is no such thing, or nothing of it for this caller.",
    409: "The state of things does not allow it.",
    413: "The body is larger than it may be.",
    415: "The body is of a type that is not taken.",
    422: "The request does not fit what is expected.",
    429: "A limit of the caller is used up; Retry-After says for how long.",
    500: "Something went wrong that is not the request's fault.",
    503: "What an answer needs is missing now, or everything is busy; see Retry-After.",
    507: "The disk is full; nothing was half-written.",
}
COMMON = (401, 403, 413, 422, 429, 500, 503)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The documented errors of a route: the common ones, and these."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {
        status: {
            "description": DESCRIPTIONS[status],
            "content": {"application/problem+json": schema},
        }
        for status in sorted({*COMMON, *statuses})
    }
