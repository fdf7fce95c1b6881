from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tts.voices.consent import Consent, ConsentState, consent_refusal, consent_state

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DAY = timedelta(days=1)
GIVEN = Consent(speaker="Ana", by="Ana", statement="My voice may speak for the shop.", given_at=NOW - DAY)


@pytest.mark.parametrize(
    ("consent", "state"),
    [
        (GIVEN, ConsentState.VALID),
        (None, ConsentState.MISSING),
        (replace(GIVEN, statement=" "), ConsentState.MISSING),
        (replace(GIVEN, by=""), ConsentState.MISSING),
        (replace(GIVEN, speaker=""), ConsentState.MISSING),
        (replace(GIVEN, given_at=NOW + DAY), ConsentState.NOT_YET),
        (replace(GIVEN, expires_at=NOW + DAY), ConsentState.VALID),
        (replace(GIVEN, expires_at=NOW), ConsentState.EXPIRED),
        (replace(GIVEN, withdrawn_at=NOW), ConsentState.WITHDRAWN),
        (replace(GIVEN, withdrawn_at=NOW - DAY, expires_at=NOW - DAY), ConsentState.WITHDRAWN),
    ],
)
def test_only_a_whole_consent_that_began_and_did_not_end_is_valid(consent: Consent | None, state: ConsentState) -> None:
    assert consent_state(consent, NOW) is state


@pytest.mark.parametrize("consent", [None, replace(GIVEN, expires_at=NOW), replace(GIVEN, withdrawn_at=NOW)])
def test_a_refusal_says_why(consent: Consent | None) -> None:
    assert "consent" in consent_refusal(consent, NOW)


def test_what_is_allowed_is_not_refused() -> None:
    assert consent_refusal(GIVEN, NOW) == ""
