"""The wrapper printed in docs/remote-engines.md is run as it stands there, with a model that speaks tones."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tts.contract import PcmAudio, PreparedSource, SourceKind, Utterance, Voice, VoiceSource
from tts.engines.fake import tone
from tts.engines.remote import RemoteEngine
from tts.errors import BadVoice
from tts.speech_address import Dialect, SpeechAddress

PAGE = Path(__file__).parents[4] / "docs" / "remote-engines.md"
SAMPLE = VoiceSource(kind=SourceKind.SAMPLE, ref="a")

# Stands in for the package f5_tts: the one call the wrapper makes of it.
MODEL = """
import numpy as np, soundfile as sf
class F5TTS:
    def infer(self, ref_file, ref_text, gen_text):
        assert ref_text == "These are my words."
        clip, rate = sf.read(ref_file, dtype="float32")
        return clip[: rate * 2], rate, None
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RemoteEngine]:
    folder = tmp_path_factory.mktemp("wrapper")
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (folder / "wrapper.py").write_text(code)
    (folder / "f5_tts").mkdir()
    (folder / "f5_tts" / "api.py").write_text(MODEL)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = SpeechAddress(dialect=Dialect.VLLM_OMNI, url=f"http://127.0.0.1:{port}")
    with subprocess.Popen(
        [sys.executable, "wrapper.py", "f5", str(port)], cwd=folder, stdout=subprocess.DEVNULL
    ) as server:
        transport = httpx.HTTPTransport(retries=10)  # a second or so until it listens, by growing waits
        with httpx.Client(transport=transport) as client:
            client.get(address.url + "/health").raise_for_status()
        engine = RemoteEngine([address])
        engine.load()
        yield engine
        engine.close()
        server.terminate()


def utterance(engine: RemoteEngine, language: str) -> Utterance:
    voice = Voice(id="v", language="en", prompt="A voice.", sources=(SAMPLE,))
    recording = PreparedSource(source=SAMPLE, audio=tone("sample", seconds=4.0), transcript="These are my words.")
    profile = engine.cast(voice, [recording])
    return Utterance(text="Good morning.", language=language, voice=voice, expected_s=2.0, profile=profile)


def test_the_wrapper_of_the_page_clones_from_a_persona_s_sample(engine: RemoteEngine) -> None:
    results = engine.synthesize([utterance(engine, "en"), utterance(engine, "en")])

    assert [type(result) for result in results] == [PcmAudio, PcmAudio]
    assert all(isinstance(result, PcmAudio) and result.duration_s == pytest.approx(2.0) for result in results)
    assert engine.info.model == "f5"


def test_it_refuses_what_the_model_does_not_speak(engine: RemoteEngine) -> None:
    (result,) = engine.synthesize([utterance(engine, "pt-BR")])

    assert isinstance(result, BadVoice)
