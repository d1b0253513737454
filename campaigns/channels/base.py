"""What a channel is: it takes one message and returns how sending it went."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Literal, Protocol, Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message as it leaves. `message_id` is the same at every attempt: receivers drop a repeat by it."""

    message_id: str
    campaign_id: str
    run_id: int
    step: str
    customer_id: str
    language: str
    title: str | None
    body: str
    coupon_code: str | None

    def as_json(self) -> dict[str, object]:
        """Return what receivers get, by field name."""
        return {
            "message_id": self.message_id,
            "campaign": self.campaign_id,
            "run_id": self.run_id,
            "step": self.step,
            "customer_id": self.customer_id,
            "language": self.language,
            "title": self.title,
            "body": self.body,
            "coupon_code": self.coupon_code,
        }


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """How one attempt went: `sent` for good, `failed` for good, or `retry` later.

    `detail` is why in a few words; `retry_after_s` is the receiver's `Retry-After`, None where it gave none.
    """

    kind: Literal["sent", "failed", "retry"]
    detail: str = ""
    retry_after_s: float | None = None


class Channel(Protocol):
    """Sends messages; used as an async context manager, and `send` from several tasks at once.

    `send` never raises for what a receiver or the network does: that is an SendOutcome. Sending the same `message_id`
    again must not reach the customer twice where the channel can recognise it.
    """

    name: str

    async def __aenter__(self) -> Self:
        """Open what is shared by all messages."""
        ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it; every send has returned."""
        ...

    async def send(self, message: Outgoing) -> SendOutcome:
        """Try once to hand the message over."""
        ...
