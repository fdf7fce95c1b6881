"""What the emulator refuses, in Graph's own envelope. Pure: knows no HTTP framework.

    EmulatorError
    ├── GraphError       a refusal towards the business, with Graph's code and the HTTP status it travels under
    ├── BadForm          a multipart body that cannot be read or breaks a size limit; either door words it its own way
    └── PhoneError       a refusal towards whoever drives the phones (page, tests, developers)
        └── BadRecording bytes that hold no audio that can be read

None is retryable by itself: the caller must change something, except where `retry_after_s` is set.
"""

from __future__ import annotations

import secrets


class EmulatorError(Exception):
    """Base of everything the emulator raises on purpose."""

    retryable = False


class GraphError(EmulatorError):
    """A Graph refusal: `code` is what clients classify on, `http_status` only how it travels."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        details: str | None = None,
        subcode: int | None = None,
        http_status: int = 400,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details
        self.subcode = subcode
        self.http_status = http_status
        self.retry_after_s = retry_after_s
        self.retryable = retry_after_s is not None

    def body(self) -> dict[str, object]:
        """The `{"error": …}` envelope, with a fresh trace id."""
        error: dict[str, object] = {
            "message": f"(#{self.code}) {self.message}",
            "type": "OAuthException",
            "code": self.code,
            "fbtrace_id": secrets.token_urlsafe(8),
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.details is not None:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        return {"error": error}


class BadForm(EmulatorError):
    """A multipart body that cannot be read or is too large."""


class PhoneError(EmulatorError):
    """A request to the phones that cannot be done; the message names the cure."""

    def __init__(self, message: str, *, http_status: int = 400) -> None:
        super().__init__(message)
        self.http_status = http_status


class BadRecording(PhoneError):
    """The bytes hold no audio that can be read."""


def bad_token() -> GraphError:
    """The bearer token is missing or not the configured one."""
    return GraphError(190, "The access token is missing or not valid", http_status=401)


def missing_object(object_id: str) -> GraphError:
    """No phone number or media of this id, or the media has expired."""
    return GraphError(
        100, "No such object", subcode=33, details=f"Object {object_id!r} does not exist, has expired or is not yours"
    )


def missing_parameter(details: str) -> GraphError:
    """A required parameter is absent."""
    return GraphError(131008, "A required parameter is missing", details=details)


def bad_parameter(details: str) -> GraphError:
    """A parameter is there and its value breaks a limit."""
    return GraphError(131009, "A parameter has a value that is not valid", details=details)


def bad_request(details: str) -> GraphError:
    """The request as such cannot be understood."""
    return GraphError(100, "A parameter is not valid", details=details)


def window_closed() -> GraphError:
    """The person has not written within 24 h."""
    return GraphError(
        131047, "The customer service window is closed", details="More than 24 hours have passed since their message"
    )


def undeliverable() -> GraphError:
    """Nobody has that number or id."""
    return GraphError(131026, "The message cannot be delivered", details="No phone of this emulator has that recipient")
