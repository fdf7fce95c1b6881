"""Makes speech faster or slower at the same pitch, for engines that know one pace only. Must not know engines."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
from av.filter import Graph

from tts.contract import PcmAudio

SPEEDS = (0.5, 2.0)


def at_pace(audio: PcmAudio, speed: float) -> PcmAudio:
    """The audio `speed` times as fast, by FFmpeg's atempo filter (WSOLA); 1.0 gives it back untouched.

    `speed` is clipped to 0.5 … 2.0, beyond which the filter would skip samples.
    """
    factor = min(max(speed, SPEEDS[0]), SPEEDS[1])
    if factor == 1.0 or not len(audio.samples):
        return audio
    graph = Graph()
    rate_hz = audio.sample_rate_hz
    source = graph.add_abuffer(format="flt", sample_rate=rate_hz, layout="mono", time_base=Fraction(1, rate_hz))
    tempo, sink = graph.add("atempo", f"{factor:.4f}"), graph.add("abuffersink")
    source.link_to(tempo)
    tempo.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(audio.samples[np.newaxis].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate_hz, 0
    source.push(frame)
    source.push(None)
    pieces = [np.zeros(0, np.float32)]
    while True:
        try:
            piece = sink.pull()
        except (av.BlockingIOError, EOFError):
            break
        if isinstance(piece, av.AudioFrame):
            pieces.append(piece.to_ndarray()[0])
    return PcmAudio(samples=np.concatenate(pieces).clip(-1.0, 1.0), sample_rate_hz=rate_hz)
