"""The `remote` engine: a client of speech servers, in the dialects that `tts.speech_address` names.

`dialects` and `wire` are what is said, `server` how it travels, `answers` and `refusals` what comes back, `pool` and
`choice` who is asked, `pack` what a voice is on its way; `engine` joins them. docs/remote-engines.md: running servers.
"""

from __future__ import annotations

from tts.engines.remote.engine import RemoteEngine
from tts.engines.remote.server import Patience

__all__ = ["Patience", "RemoteEngine"]
