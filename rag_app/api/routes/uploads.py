"""``POST /v1/documents``: uploads, read only from callers who may send them."""

import json
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, File, Form, UploadFile

from rag_app.access.principal import UPLOAD, Principal
from rag_app.api.dependencies import RequestId, ServicesDep, admitted_first, require
from rag_app.api.models.documents import Uploaded
from rag_app.api.models.problem import problems
from rag_app.service.errors import Invalid
from rag_app.service.uploads import Described

may_upload = require(UPLOAD, "document.upload")
router = APIRouter(
    prefix="/v1/documents", tags=["documents"], route_class=admitted_first(may_upload)
)


@router.post(
    "",
    operation_id="upload_document",
    summary="Upload a document",
    status_code=202,
    responses=problems(409, 415, 507),
)
def upload_document(
    principal: Annotated[Principal, Depends(may_upload)],
    services: ServicesDep,
    request_id: RequestId,
    file: Annotated[UploadFile, File(description="The document.")],
    title: Annotated[str, Form(max_length=1000, description="Default: the document's own.")] = "",
    acl: Annotated[
        str | None,
        Form(description="Groups that may read it, separated by commas; default the source's."),
    ] = None,
    attributes: Annotated[
        str, Form(max_length=20_000, description='A JSON object, e.g. {"team": "hr"}.')
    ] = "",
) -> Uploaded:
    """Store a file in the source of uploads; the next ingest makes a document of it.

    A file that the same caller uploaded under the same name is replaced.
    Its state is `pending` until the release that has it is live; then it is `indexed`.
    """
    described = Described(title, None if acl is None else acl.split(","), _attributes(attributes))
    content = file.file.read()
    document_id = services.uploads.store(file.filename or "", content, described, principal)
    services.audit.record(
        principal,
        "document.upload",
        document_id,
        "ok",
        request_id=request_id,
        details={"size_bytes": len(content)},
    )
    return Uploaded(
        document_id=document_id,
        size_bytes=len(content),
        status_url=f"/v1/documents/{quote(document_id)}/status",
    )


def _attributes(text: str) -> dict[str, Any]:
    if not text.strip():
        return {}
    try:
        values = json.loads(text)
    except ValueError as error:
        raise Invalid("'attributes' is not JSON.", 'Send an object: {"team": "hr"}.') from error
    if not isinstance(values, dict):
        raise Invalid("'attributes' is no object.", 'Send an object: {"team": "hr"}.')
    return values
