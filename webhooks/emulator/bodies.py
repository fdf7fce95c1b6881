"""The JSON bodies that the control API takes, checked. Knows no route and no state."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from webhooks.emulator.errors import PhoneError
from webhooks.emulator.faults import Fault, Operation


class Body(BaseModel):
    """Unknown keys are refused: a typing error in a test should not pass silently."""

    model_config = ConfigDict(extra="forbid")


class WriteBody(Body):
    """A message from a person: `text` is the short form, `node` the type's own JSON for everything else."""

    phone_number_id: str | None = None
    type: str = "text"
    text: Annotated[str, Field(min_length=1, max_length=4096)] | None = None
    node: Any = None
    reply_to: str | None = None
    media_base64: str | None = None
    mime_type: str = "application/octet-stream"
    filename: str = "file"


class PersonBody(Body):
    """Somebody new: a phone number, or a username for those who show none."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    phone: str | None = None
    username: Annotated[str, Field(pattern=r"^[a-z0-9._]{3,30}$")] | None = None


class ReceiptBody(Body):
    """A receipt to happen by hand; `failed` may carry its code."""

    status: str
    code: int = 131026
    details: str = "Failed by hand"


class FaultBody(Body):
    """The next `count` chances of a fault; 0 disarms it."""

    fault: Fault
    count: Annotated[int, Field(ge=0, le=10_000)] = 1
    on: list[Operation] = []
    delay_ms: Annotated[int, Field(ge=0, le=600_000)] = 2000
    retry_after_s: Annotated[int, Field(ge=0, le=3600)] = 1


AnyBody = TypeVar("AnyBody", bound=Body)


async def read_body(request: web.Request, model: type[AnyBody]) -> AnyBody:
    """The checked body. Raises PhoneError 415 or 422, which names the first field that is wrong."""
    if request.content_type != "application/json":
        raise PhoneError("the body must be application/json", http_status=415)
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise PhoneError(f"{where or 'body'}: {first['msg']}", http_status=422) from error
