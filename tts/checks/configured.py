"""Puts the gate together as the installation's settings want it. Must not know engines or notes."""

from __future__ import annotations

import structlog

from tts.checks.likeness import LikenessCheck, OwnLikenessCheck
from tts.checks.signal import SignalCheck
from tts.checks.speaker_encoder import ResemblyzerEncoder, encoder_installed
from tts.checks.words import WordsCheck
from tts.contract import Transcriber
from tts.gate import Check, Gate
from tts.material import Material
from tts.settings import TtsSettings

_log = structlog.get_logger()


def build_gate(settings: TtsSettings, *, material: Material, transcriber: Transcriber | None) -> Gate:
    """The signal always; likeness always or for voices that must resemble; words when GATE_ASR is on.

    `material` holds the recordings that takes are compared with; words need a `transcriber`.
    """
    encoder = ResemblyzerEncoder() if encoder_installed() else None
    if settings.gate_similarity and encoder is None:
        _log.warning("gate.no_neutral_encoder", left="engines' own encoders", cure="install the extra `similarity`")
    checks: list[Check] = [
        SignalCheck(settings.gate),
        OwnLikenessCheck(min_similarity=settings.gate_own_similarity_min),
        LikenessCheck(
            material,
            encoder=encoder,
            min_similarity=settings.gate_similarity_min,
            always=settings.gate_similarity,
        ),
    ]
    if settings.gate_asr and transcriber is not None:
        checks.append(WordsCheck(transcriber, max_cer=settings.gate_asr_max_cer))
    return Gate(checks)
