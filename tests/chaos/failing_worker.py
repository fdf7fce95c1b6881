"""The worker whose periodic work fails, round after round."""

from __future__ import annotations

from typing import Any

from bot.__main__ import main
from bot.designer import Designer
from bot.heartbeat import Heartbeats
from bot.sample_store import Samples
from tts.blobs import FolderBlobStore


async def broken(*_args: Any, **_options: Any) -> Any:
    raise LookupError("broken")


if __name__ == "__main__":
    Heartbeats.beat = broken  # type: ignore[method-assign]
    FolderBlobStore.sweep = broken  # type: ignore[method-assign]
    Samples.list = broken  # type: ignore[method-assign]
    Designer.look = broken  # type: ignore[method-assign]
    main(prog_name="recado")
