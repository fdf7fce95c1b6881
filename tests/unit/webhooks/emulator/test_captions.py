"""What the page may ask of a message beyond what was sent, where the emulator was told whom to ask."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from webhooks.emulator.captions import Caption

API = "/emulator/api"
NINA = Caption(speaker="Nina", text="Oi, tudo bem?", language="pt-BR", heard="olá")


async def known(callback_data: str) -> Caption | None:
    return NINA if callback_data == "turn:0:1" else None


async def asked(bench: Any, wamid: str) -> Any:
    answer = await bench.client.get(f"{API}/messages/{wamid}/caption")
    assert answer.status == 200
    return (await answer.json())["caption"]


async def sent(bench: Any, **fields: Any) -> str:
    await bench.write()
    status, answer = await bench.send_text(**fields)
    assert status == 200
    return str(answer["messages"][0]["id"])


async def test_a_message_of_the_business_is_asked_about_by_its_callback_data(
    make_bench: Callable[..., Awaitable[Any]],
) -> None:
    bench = await make_bench(captions=known)
    assert await asked(bench, await sent(bench, biz_opaque_callback_data="turn:0:1")) == {
        "speaker": "Nina",
        "text": "Oi, tudo bem?",
        "language": "pt-BR",
        "heard": "olá",
    }


async def test_a_message_nobody_knows_has_no_caption(make_bench: Callable[..., Awaitable[Any]]) -> None:
    bench = await make_bench(captions=known)
    assert await asked(bench, await sent(bench, biz_opaque_callback_data="turn:9:1")) is None
    assert await asked(bench, await sent(bench)) is None


async def test_a_persons_own_message_has_no_caption(make_bench: Callable[..., Awaitable[Any]]) -> None:
    bench = await make_bench(captions=known)
    assert await asked(bench, (await bench.write())["wamid"]) is None


async def test_without_a_source_there_are_no_captions(bench: Any) -> None:
    assert await asked(bench, await sent(bench, biz_opaque_callback_data="turn:0:1")) is None


async def test_a_message_that_does_not_exist_is_refused(bench: Any) -> None:
    assert (await bench.client.get(f"{API}/messages/wamid.NONE/caption")).status == 404
