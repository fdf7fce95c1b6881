"""The house when everything that its worker does beside its work fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.chaos.house import House
from tests.stack import HOST

pytestmark = pytest.mark.chaos

WAIT_S = 60
WORKS = {"heartbeat", "sweep notes", "ended consents", "voices"}


async def test_a_worker_whose_periodic_work_all_fails_says_so_and_answers(tmp_path: Path) -> None:
    async with House(tmp_path, worker=("-m", "tests.chaos.failing_worker")) as house:
        url = f"http://{HOST}:{house.worker_port}"
        async with asyncio.timeout(WAIT_S):
            while True:  # until each has failed, and was tried again
                health = (await house.http.get(f"{url}/health")).json()
                failing = health.get("failing", {})
                if set(failing) == WORKS and all(work["failures"] >= 2 for work in failing.values()):
                    break
                await asyncio.sleep(0.05)
        assert (health["status"], {work["error"] for work in failing.values()}) == ("degraded", {"LookupError"})
        text = (await house.http.get(f"{url}/metrics")).text
        assert all(f'recado_background_failing{{work="{work}"}} 1.0' in text for work in WORKS)
        assert "recado_webhook" not in text
        assert "_created" not in text
        person = await house.add_person("Rita", "5511950000001")
        asked = await house.write(person, "Quem é você?")
        _disclosure, note = await house.answers_after(person, asked, 2)
        assert note["type"] == "audio"
