"""How much GPU memory this process holds. Never imports torch: where nobody else did, there is nothing to tell."""

from __future__ import annotations

import sys


def gpu_memory_bytes() -> int | None:
    """Bytes the caching allocator holds on the first GPU; None without torch or a GPU in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available() or not torch.cuda.is_initialized():
        return None
    return int(torch.cuda.memory_reserved(0))
