"""What the emulator is told at start. Knows no HTTP and reads no environment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BusinessNumber:
    """A number of the business: what `/{phone_number_id}` answers for, and what the phones show as the contact."""

    phone_number_id: str
    display_phone_number: str
    verified_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorConfig:
    """Where the emulator listens, whom it calls, and the secrets both sides share.

    `phone_numbers` takes full entries or bare phone number ids (a display number is then made up).
    `retry_schedule_s` holds the waits between the attempts of one webhook; after the last it is given up.
    `public_url` is put into media URLs; unset, the origin of the request stands in.
    With `auto_deliver` off, receipts come only from the control API.
    """

    host: str = "127.0.0.1"
    port: int = 8790
    webhook_url: str
    app_secret: str
    verify_token: str
    access_token: str
    phone_numbers: tuple[BusinessNumber | str, ...]
    api_version: str = "v26.0"
    auto_deliver: bool = True
    language: str = "pt-BR"
    retry_schedule_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
    webhook_timeout_s: float = 20.0
    public_url: str | None = None

    def business_numbers(self) -> tuple[BusinessNumber, ...]:
        """Every number in full; refuses an empty list."""
        if not self.phone_numbers:
            raise ValueError("the emulator needs at least one phone number id")
        return tuple(
            entry if isinstance(entry, BusinessNumber) else _made_up_number(entry, index)
            for index, entry in enumerate(self.phone_numbers)
        )


def _made_up_number(phone_number_id: str, index: int) -> BusinessNumber:
    return BusinessNumber(
        phone_number_id=phone_number_id,
        display_phone_number=f"+55 11 4000-{1001 + index}",
        verified_name="Recado" if index == 0 else f"Recado {index + 1}",
    )
