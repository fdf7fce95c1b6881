"""Lets torchaudio be imported beside a torch it was not built for. Must not know any engine.

The registry's torchaudio is a CUDA build: beside a CPU-only torch its compiled part cannot load, and the import fails.
What the engines use of it (resampling, mel spectrograms) is Python on torch and needs no compiled part.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, NoReturn

_EXTENSION = "torchaudio._extension"


def allow_torchaudio() -> None:
    """Make `import torchaudio` work, without its compiled part where torch has no CUDA.

    Call it before importing anything that needs torchaudio; calling it again changes nothing.
    """
    if "torchaudio" in sys.modules:
        return
    import torch  # noqa: PLC0415 - heavy libraries load on first use

    if torch.version.cuda is None:
        sys.modules.setdefault(_EXTENSION, _without_compiled_part())


def _without_compiled_part() -> ModuleType:
    """What `torchaudio._extension` offers when it was built without libraries; alignment calls say so."""
    module = ModuleType(_EXTENSION)

    def refuse(function: Callable[..., Any]) -> Callable[..., NoReturn]:
        def refused(*_args: object, **_kwargs: object) -> NoReturn:
            raise RuntimeError(f"torchaudio's {function.__name__} needs a torch with CUDA")

        return refused

    vars(module).update(
        _IS_TORCHAUDIO_EXT_AVAILABLE=False,
        _IS_ALIGN_AVAILABLE=False,
        _check_cuda_version=lambda: None,
        fail_if_no_align=refuse,
    )
    return module
