"""A person chats over real sockets: emulator, web, worker, store, real speech and real hearing."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.stack import Stack
from webhooks.messages import StatusKind

pytestmark = [pytest.mark.speech, pytest.mark.asyncio(loop_scope="session")]


async def test_a_text_comes_back_as_a_voice_note_after_the_disclosure(house: Stack, person: str) -> None:
    asked = await house.write(person, "Bom dia! Quem é você?")
    disclosure, note = await house.answers_after(person, asked, 2)
    assert "inteligência artificial" in disclosure["node"]["body"]
    assert (note["type"], note["shown_as"]) == ("audio", "voice_note")
    assert note["media"]["problem"] is None
    assert note["media"]["bytes"] < 512_000
    assert note["context_id"] == asked["wamid"]


async def test_the_disclosure_is_said_once(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "Me conta uma piada")
    (answer,) = await house.answers_after(friend, asked, 1)
    assert answer["type"] == "audio"


async def test_a_burst_is_answered_once_quoting_the_last(house: Stack, friend: str) -> None:
    first = await house.write(friend, "Oi")
    await house.write(friend, "tudo bem?")
    last = await house.write(friend, "Qual é a sua comida favorita?")
    answers = await house.answers_after(friend, first, 1)
    follow_up = await house.write(friend, "Obrigado!")
    await house.answers_after(friend, follow_up, 1)
    between = [one for one in await house.answers(friend) if first["at_s"] <= one["at_s"] < follow_up["at_s"]]
    assert [one["context_id"] for one in between] == [last["wamid"]]
    assert answers[0]["wamid"] == between[0]["wamid"]


async def test_a_voice_note_is_heard_once_and_answered(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "Quem é você?")
    (note,) = await house.answers_after(friend, asked, 1)
    sound = await house.media(note["media"]["id"])
    heard_before = house.log("worker").count('"heard"')
    spoken = await house.record(friend, sound)
    (answer,) = await house.answers_after(friend, spoken, 1)
    assert answer["type"] == "audio"
    assert house.log("worker").count('"heard"') == heard_before + 1


async def test_the_phone_page_is_told_who_speaks_in_which_words_and_what_was_heard(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "Quem é você?")
    (note,) = await house.answers_after(friend, asked, 1)
    caption = await house.caption(note)
    assert (caption["speaker"], caption["language"], caption["heard"]) == ("Nina", "pt-BR", "Quem é você?")
    assert caption["text"]


async def test_silence_in_a_voice_note_gets_a_kind_answer(house: Stack, friend: str, silence: bytes) -> None:
    spoken = await house.record(friend, silence)
    (answer,) = await house.answers_after(friend, spoken, 1)
    assert answer["type"] == "text"
    assert "Não consegui entender" in answer["node"]["body"]


async def test_somebody_without_a_phone_number_is_answered(house: Stack) -> None:
    asked = await house.write("duda", "oi, tudo bem?")
    answers = await house.answers_after("duda", asked, 2)
    assert answers[-1]["type"] == "audio"


async def test_receipts_come_back_to_the_turn(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "me conta uma curiosidade")
    (note,) = await house.answers_after(friend, asked, 1)
    receipt = {"status": "played"}
    url = f"http://127.0.0.1:{house.emulator_port}/emulator/api/messages/{note['wamid']}/receipts"
    assert (await house.http.post(url, json=receipt)).status_code == 200
    best = None
    for _ in range(100):
        turn = await house.turn_of(note)
        assert turn is not None
        best = turn.receipts[-1].status
        if best is StatusKind.PLAYED:
            break
        await asyncio.sleep(0.05)
    assert best is StatusKind.PLAYED


async def test_a_picture_gets_one_polite_answer(house: Stack, friend: str) -> None:
    sent = await house.write(friend, type="image", node={"caption": ""}, media_base64="aGVsbG8=", mime_type="image/png")
    (answer,) = await house.answers_after(friend, sent, 1)
    assert "não sei ver" in answer["node"]["body"]


async def test_a_persona_is_chosen_from_the_menu_and_answers_in_her_language(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "personas")
    (menu,) = await house.answers_after(friend, asked, 1)
    assert menu["type"] == "interactive"
    reply = {"type": "list_reply", "list_reply": {"id": "persona:theo", "title": "Theo"}}
    chosen = await house.write(friend, type="interactive", node=reply)
    confirmed, hello = await house.answers_after(friend, chosen, 2)
    assert "Theo" in confirmed["node"]["body"]
    assert hello["type"] == "audio"


async def test_voice_off_answers_in_text_until_voice_is_on_again(house: Stack, friend: str) -> None:
    off = await house.write(friend, "voz desligar")
    await house.answers_after(friend, off, 1)
    written = await house.write(friend, "como você está?")
    assert (await house.answers_after(friend, written, 1))[0]["type"] == "text"
    on = await house.write(friend, "voz ligar")
    await house.answers_after(friend, on, 1)
    spoken = await house.write(friend, "como foi o seu dia?")
    assert (await house.answers_after(friend, spoken, 1))[0]["type"] == "audio"


async def test_stop_silences_until_start(house: Stack, friend: str) -> None:
    stop = await house.write(friend, "parar")
    await house.answers_after(friend, stop, 1)
    ignored = await house.write(friend, "você está aí?")
    await house.until_quiet()
    start = await house.write(friend, "começar")
    (answer,) = await house.answers_after(friend, start, 1)
    assert "de volta" in answer["node"]["body"]
    silent = [one for one in await house.answers(friend) if ignored["at_s"] <= one["at_s"] < start["at_s"]]
    assert silent == []


async def test_repeat_says_the_last_answer_aloud_again(house: Stack, friend: str) -> None:
    asked = await house.write(friend, "me conta uma história")
    (first,) = await house.answers_after(friend, asked, 1)
    again = await house.write(friend, "repetir em voz")
    (second,) = await house.answers_after(friend, again, 1)
    assert second["media"]["audio"]["duration_s"] == pytest.approx(first["media"]["audio"]["duration_s"], abs=0.5)


async def test_my_data_is_deleted_after_a_yes_and_the_next_hello_is_a_first_contact(house: Stack, friend: str) -> None:
    ask = await house.write(friend, "apagar meus dados")
    await house.answers_after(friend, ask, 1)
    yes = await house.write(friend, "sim")
    (done,) = await house.answers_after(friend, yes, 1)
    assert "apagados" in done["node"]["body"]
    hello = await house.write(friend, "oi de novo")
    disclosure, _note = await house.answers_after(friend, hello, 2)
    assert "inteligência artificial" in disclosure["node"]["body"]


async def test_a_human_is_called_and_the_bot_falls_silent(house: Stack, friend: str) -> None:
    call = await house.write(friend, "falar com atendente")
    (answer,) = await house.answers_after(friend, call, 1)
    assert "equipe" in answer["node"]["body"]
    ignored = await house.write(friend, "alguém aí?")
    await house.until_quiet()
    assert [one for one in await house.answers(friend) if one["at_s"] > ignored["at_s"]] == []


async def test_a_redelivered_webhook_is_answered_once(house: Stack, friend: str) -> None:
    await house.fault("duplicate", count=3)
    asked = await house.write(friend, "qual é o seu filme favorito?")
    await house.answers_after(friend, asked, 1)
    after = await house.write(friend, "obrigada")
    await house.answers_after(friend, after, 1)
    answers = [one for one in await house.answers(friend) if asked["at_s"] <= one["at_s"] < after["at_s"]]
    assert len(answers) == 1


async def test_a_late_media_error_is_repaired(house: Stack, friend: str) -> None:
    await house.fault("late_media_error", count=1)
    asked = await house.write(friend, "me fala de você")
    failed, repaired = await house.answers_after(friend, asked, 2)
    assert failed["failure"]["code"] == 131053
    assert (repaired["type"], repaired["failure"]) == ("audio", None)


async def test_an_ambiguous_send_is_not_repeated_when_its_receipt_arrives(house: Stack, friend: str) -> None:
    await house.fault("ambiguous", count=1, on=["send"])
    asked = await house.write(friend, "me conta um segredo")
    await house.answers_after(friend, asked, 1)
    after = await house.write(friend, "obrigado")
    await house.answers_after(friend, after, 1)
    answers = [one for one in await house.answers(friend) if one["at_s"] >= asked["at_s"]]
    assert len([one for one in answers if one["context_id"] == asked["wamid"]]) == 1


async def test_a_throttled_send_arrives_later(house: Stack, friend: str) -> None:
    await house.fault("pair_limit", count=1, on=["send"])
    asked = await house.write(friend, "qual é a sua música favorita?")
    (answer,) = await house.answers_after(friend, asked, 1)
    assert answer["type"] == "audio"


async def test_bad_signatures_and_bad_bodies_are_refused_and_change_nothing(house: Stack) -> None:
    url = f"http://127.0.0.1:{house.web_port}/webhooks/whatsapp"
    assert (await house.http.post(url, content=b"{}")).status_code == 401
    wrong = await house.http.post(url, content=b"{}", headers={"X-Hub-Signature-256": "sha256=" + "0" * 64})
    assert wrong.status_code == 403
    await house.post_raw(b"not json")
    for _ in range(100):
        newest = (await house.webhooks())["deliveries"][0]
        if newest["http_status"] is not None:
            break
        await asyncio.sleep(0.05)
    assert newest["http_status"] == 400


async def test_no_log_line_holds_words_numbers_or_wamids(house: Stack, friend: str) -> None:
    secret = "abracadabra pirlimpimpim"
    asked = await house.write(friend, secret)
    await house.answers_after(friend, asked, 1)
    logs = house.log("web") + house.log("worker")
    assert "pirlimpimpim" not in logs
    assert "wamid." not in logs
    assert not re.search(r"55119\d{8}", logs)
    for line in house.log("worker").splitlines():
        assert isinstance(json.loads(line), dict), line


async def test_web_and_worker_tell_how_they_are(house: Stack) -> None:
    ready = (await house.http.get(f"http://127.0.0.1:{house.web_port}/ready")).json()
    assert ready["status"] == "ready"
    assert ready["workers"][0]["ready"] is True
    metrics = (await house.http.get(f"http://127.0.0.1:{house.worker_port}/metrics")).text
    assert "recado_turns_total" in metrics


@pytest.fixture
def silence(tmp_path: Path) -> bytes:
    """Two seconds of nothing, as a WAV file."""
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.zeros(32_000, dtype="float32"), 16_000)
    return path.read_bytes()


async def test_a_note_that_was_received_is_known_as_ours(house: Stack, friend: str, tmp_path: Path) -> None:
    asked = await house.write(friend, "Quem é você?")
    (note,) = await house.answers_after(friend, asked, 1)
    received = tmp_path / "received.ogg"
    received.write_bytes(await house.media(note["media"]["id"]))

    verified = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot", "verify", str(received), env=house.environment, stdout=asyncio.subprocess.PIPE
    )
    told, _ = await verified.communicate()

    assert verified.returncode == 0
    assert b"made here" in told
    assert b"the file itself" in told
