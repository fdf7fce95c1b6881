"""Why the receiver turns a request away, each with the HTTP status it is answered with. Knows nothing of sending.

WebhookRefused          status is the HTTP answer, reason a short word for metrics
├── HandshakeRefused    403: not a subscription request, or the verify token is wrong
├── SignatureMissing    401: no X-Hub-Signature-256 header
├── SignatureWrong      403: the header matches none of our app secrets
├── BodyTooLarge        413: more bytes than a webhook may have
├── BodyTooSlow         408: the body did not arrive in time
├── BadEncoding         400: the body is compressed
└── BadWebhook          400: not JSON, or not the envelope of the WhatsApp Business platform
"""

from __future__ import annotations

from typing import ClassVar


class WebhookRefused(Exception):
    """Base of every answer to a request that is not taken. None of them is worth repeating unchanged."""

    status: ClassVar[int] = 400
    reason: ClassVar[str] = "refused"
    retryable: ClassVar[bool] = False


class HandshakeRefused(WebhookRefused):
    """Somebody without our verify token asked to subscribe."""

    status = 403
    reason = "handshake"


class SignatureMissing(WebhookRefused):
    """The request says nothing about who signed it."""

    status = 401
    reason = "signature_missing"


class SignatureWrong(WebhookRefused):
    """The bytes were signed with none of our secrets, or were changed on the way."""

    status = 403
    reason = "signature_wrong"


class BodyTooLarge(WebhookRefused):
    """Larger than any webhook the platform sends."""

    status = 413
    reason = "too_large"


class BodyTooSlow(WebhookRefused):
    """The sender stalled; the platform will deliver again."""

    status = 408
    reason = "too_slow"
    retryable = True


class BadEncoding(WebhookRefused):
    """The body is compressed, or says that it is. The platform signs and sends plain bytes."""

    status = 400
    reason = "bad_encoding"


class BadWebhook(WebhookRefused):
    """Signed, but nothing that can be read as a webhook."""

    status = 400
    reason = "bad_webhook"
