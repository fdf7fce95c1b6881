from __future__ import annotations

import asyncio
import stat
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from webhooks.contract import RecordingSink
from webhooks.recording import FileRecording, RecordedWebhook, read_recording, read_recordings, recordings

NOON_MS = 1763726400_000  # 2025-11-21T12:00Z
HOUR_MS = 3600_000
BODY = rb'{"text":"Ol\u00e1"}' + bytes(range(256))


async def record(sink: RecordingSink, *, at_ms: int = NOON_MS, body: bytes = BODY) -> None:
    await sink.record(received_at_ms=at_ms, headers={"X-Hub-Signature-256": "sha256=1"}, body=body)


def bodies(folder: Path) -> list[bytes]:
    return [webhook.body for path in recordings(folder) for webhook in read_recording(path)]


async def test_what_is_recorded_is_read_back_byte_for_byte(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path))
    (path,) = recordings(tmp_path)
    assert list(read_recording(path)) == [
        RecordedWebhook(received_at_ms=NOON_MS, headers={"x-hub-signature-256": "sha256=1"}, body=BODY)
    ]


async def test_webhooks_are_appended_in_their_order_across_restarts(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path), body=b"1")
    await record(FileRecording(tmp_path), body=b"2")
    assert bodies(tmp_path) == [b"1", b"2"]


async def test_only_harmless_headers_are_kept(tmp_path: Path) -> None:
    headers = {"Cookie": "session=1", "Authorization": "Bearer x", "X-Forwarded-For": "1.2.3.4", "User-Agent": "meta"}
    await FileRecording(tmp_path).record(received_at_ms=NOON_MS, headers=headers, body=b"{}")
    (webhook,) = read_recording(recordings(tmp_path)[0])
    assert webhook.headers == {"user-agent": "meta"}


async def test_nobody_but_the_owner_can_read_a_recording(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path / "recordings"))
    (path,) = recordings(tmp_path / "recordings")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_every_hour_has_a_file_of_its_own(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    for minute in (0, 59, 60, 61):
        await record(sink, at_ms=NOON_MS + minute * 60_000 + 7)
    assert [path.name for path in recordings(tmp_path)] == [
        "webhooks-2025-11-21T12-00-00.007.jsonl",
        "webhooks-2025-11-21T13-00-00.007.jsonl",
    ]


async def test_files_older_than_a_day_go_when_a_new_one_begins(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink, body=b"old")
    await record(sink, at_ms=NOON_MS + 24 * HOUR_MS + 1, body=b"new")
    assert bodies(tmp_path) == [b"new"]


async def test_files_go_with_time_even_without_traffic(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink)
    await sink.prune(NOON_MS + 24 * HOUR_MS)
    assert bodies(tmp_path) == [BODY]
    await sink.prune(NOON_MS + 24 * HOUR_MS + 1)
    assert recordings(tmp_path) == []


async def test_the_oldest_files_go_when_there_is_too_much(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path, max_bytes=8000)
    for number in range(100):
        await record(sink, at_ms=NOON_MS + number, body=b"%03d" % number * 100)
    kept = bodies(tmp_path)
    assert sum(path.stat().st_size for path in recordings(tmp_path)) <= 8000
    assert kept == [b"%03d" % number * 100 for number in range(100 - len(kept), 100)]
    assert len(kept) > 10


async def test_one_webhook_larger_than_a_file_should_be_is_still_kept(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path, max_bytes=80))
    assert bodies(tmp_path) == [BODY]


async def test_a_person_can_be_forgotten(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink, body=b'{"from":"5511987654321"}')
    await record(sink, body=b'{"from":"5511900000000"}')
    await record(sink, at_ms=NOON_MS + HOUR_MS, body=b'{"user_id":"BR.1349"}')
    assert await sink.forget(["5511987654321", "BR.1349", ""]) == 2
    assert bodies(tmp_path) == [b'{"from":"5511900000000"}']
    assert stat.S_IMODE(recordings(tmp_path)[0].stat().st_mode) == 0o600


async def test_nobody_is_forgotten_by_an_empty_mark(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink)
    assert (await sink.forget(["", ""]), bodies(tmp_path)) == (0, [BODY])


async def test_forgetting_again_finds_nothing_more(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink, body=b"5511987654321")
    assert [await sink.forget(["5511987654321"]) for _ in range(2)] == [1, 0]


async def test_a_process_goes_on_recording_in_files_that_another_struck(tmp_path: Path) -> None:
    writing, striking = FileRecording(tmp_path), FileRecording(tmp_path)
    for body in (b"before", b"5511987654321"):
        await record(writing, body=body)
    await striking.forget(["5511987654321"])
    await record(writing, body=b"after")
    assert bodies(tmp_path) == [b"before", b"after"]


async def test_nothing_is_lost_between_those_who_strike_and_those_who_record(tmp_path: Path) -> None:
    writers = [FileRecording(tmp_path) for _ in range(3)]
    kept = [f"kept {number}".encode() for number in range(60)]

    async def write(sink: FileRecording, some: list[bytes]) -> None:
        for body in some:
            await record(sink, body=body)
            await record(sink, body=b"5511987654321")

    async def strike() -> None:
        for _ in range(20):
            await FileRecording(tmp_path).forget(["5511987654321"])

    await asyncio.gather(*(write(sink, kept[place::3]) for place, sink in enumerate(writers)), strike(), strike())
    await strike()
    assert sorted(bodies(tmp_path)) == sorted(kept)


async def test_a_line_that_nobody_can_read_goes_with_the_forgotten(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path), body=b"whole")
    (path,) = recordings(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"received_at_ms":17')
    await FileRecording(tmp_path).forget(["5511987654321"])
    assert path.read_bytes() == whole


async def test_a_file_that_goes_while_it_is_looked_for_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = [tmp_path / "webhooks-2025-11-21T12-00-00.000.jsonl"]
    monkeypatch.setattr("webhooks.recording.recordings", lambda _folder: gone)
    sink = FileRecording(tmp_path)
    await sink.prune(NOON_MS)
    assert await sink.forget(["5511987654321"]) == 0


async def test_a_folder_has_one_name_for_all_processes_and_for_good(tmp_path: Path) -> None:
    names = await asyncio.gather(*(FileRecording(tmp_path / "recordings").identity() for _ in range(5)))
    assert set(names) == {await FileRecording(tmp_path / "recordings").identity()}
    assert await FileRecording(tmp_path / "another").identity() != names[0] != ""


async def test_a_disk_that_refuses_costs_the_recording_and_not_the_webhook(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with capture_logs() as logs:
        await record(FileRecording(tmp_path / "file" / "folder"))
    assert [entry["event"] for entry in logs] == ["recording_failed"]


async def test_a_line_torn_by_a_crash_costs_no_other(tmp_path: Path) -> None:
    await record(FileRecording(tmp_path), body=b"whole")
    (path,) = recordings(tmp_path)
    path.write_bytes(path.read_bytes() + b'{"received_at_ms":17')
    await record(FileRecording(tmp_path), at_ms=NOON_MS + 1, body=b"next")
    assert bodies(tmp_path) == [b"whole", b"next"]


@pytest.mark.parametrize(
    "line", [b"", b"[]", b"{}", b'{"received_at_ms":1,"headers":[],"body_base64":""}', b'{"body_base64":"?"}']
)
def test_what_is_no_recording_is_said_to_be_none(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a recorded webhook"):
        RecordedWebhook.from_line(line)


async def test_reading_ends_with_what_was_there_when_it_began(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink, body=b"1")
    await record(sink, body=b"2")
    read = []
    for webhook in read_recordings(tmp_path):  # as a replay into the installation that records it
        read.append(webhook.body)
        await record(sink, body=b"again")
        await record(sink, at_ms=NOON_MS + 2 * HOUR_MS, body=b"in a later file")
    assert read == [b"1", b"2"]


async def test_reading_one_file_ends_with_what_it_held_when_it_began(tmp_path: Path) -> None:
    sink = FileRecording(tmp_path)
    await record(sink, body=b"1")
    read = []
    for webhook in read_recording(recordings(tmp_path)[0]):
        read.append(webhook.body)
        await record(sink, body=b"again")
    assert read == [b"1"]
