"""Speech servers for tests: real sockets, the three dialects as their makers document them, and faults on demand.

Written from the servers' own documentation, not from our client: it imports none of our wire models, so that a shared
misreading cannot hide. Audio is tones.
"""

from __future__ import annotations

import asyncio
import base64
import io
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import soundfile as sf
from aiohttp import web

from tts.engines.fake import tone
from tts.speech_address import Dialect, SpeechAddress
from tts.text import expected_duration_s

TIMBRES = ("aiden", "dylan", "eric", "ono_anna", "ryan", "serena", "sohee", "uncle_fu", "vivian")
LANGUAGES = [
    "Auto", "Chinese", "English", "Japanese", "Korean", "German", "French", "Russian", "Portuguese", "Spanish",
    "Italian",
]  # fmt: skip
OPENAI_FIELDS = {"input", "model", "voice", "instructions", "response_format", "speed"}


class Fault(StrEnum):
    """What a server does to one request in place of answering it properly."""

    FULL = "429 with Retry-After"
    WARMING = "503 without Retry-After"
    FAILING = "500"
    GARBAGE = "200 audio/wav that is none"
    HTML = "200 text/html"
    TRUNCATED = "half a file, properly ended"
    LOST = "a body that ends before its Content-Length"
    RESET = "the connection is reset"
    REDIRECT = "307 to elsewhere"
    ENDLESS = "a body that never ends"
    ZIPPED = "a compressed body"
    SILENT = "no answer until released"
    DRIPPING = "headers that go on until released"
    MISSING = "404 without a reason"
    UNABLE = "501"
    UNENDED = "half a body, and a closed connection for its end"
    CRUMB = "200 audio/pcm of one byte"
    LIMIT = "cut at the length limit"


REFUSALS = {Fault.FULL, Fault.WARMING, Fault.FAILING, Fault.REDIRECT, Fault.MISSING, Fault.UNABLE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class SpeechServer:
    """A running server. `faults` befall the next POSTs, one each; `always` befalls those after."""

    dialect: Dialect
    model: str = ""
    key: str = ""
    profile_model: str = "base-1.7b"
    elsewhere: str = "http://127.0.0.1:9/"
    wants: str = "audio/wav"
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    unhealthy: bool = False
    batches: bool = True
    released: threading.Event = field(default_factory=threading.Event)
    received: list[Received] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    probes: list[str] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> SpeechAddress:
        return SpeechAddress(dialect=self.dialect, url=f"http://127.0.0.1:{self.port}")

    def bodies(self, path: str) -> list[dict[str, Any]]:
        return [request.body for request in self.received if request.path == path]

    @property
    def spoken(self) -> list[str]:
        """Every text it was asked for, in single calls and batches."""
        return [
            text
            for request in self.received
            for text in (
                [item["input"] for item in request.body["items"]]
                if "items" in request.body
                else [request.body["input"]]
            )
        ]

    # -- HTTP -------------------------------------------------------------------------------------------------------

    def app(self) -> web.Application:
        app = web.Application(client_max_size=64_000_000)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/audio/speech", self._speech)
        if self.dialect is not Dialect.OPENAI and self.batches:
            app.router.add_post("/v1/audio/speech/batch", self._batch)
        if self.dialect is Dialect.RECADO:
            app.router.add_post("/v1/audio/profiles", self._profile)
        return app

    async def _health(self, request: web.Request) -> web.Response:
        self.probes.append(request.path)
        return web.Response(status=500 if self.unhealthy else 200)

    async def _models(self, request: web.Request) -> web.Response:
        self.probes.append(request.path)
        if not self._known(request):
            return refused(401, "Incorrect API key provided", type_="invalid_request_error")
        return web.json_response({"object": "list", "data": [{"id": self.model}] if self.model else []})

    async def _speech(self, request: web.Request) -> web.StreamResponse:
        body, answer = await self._begin(request)
        if answer is not None:
            return answer
        fault = self._complaint(body)
        if fault is not None:
            return fault
        return web.Response(body=self._audio(body["input"]), content_type=self.wants)

    async def _batch(self, request: web.Request) -> web.StreamResponse:
        body, answer = await self._begin(request)
        if answer is not None:
            return answer
        if not 1 <= len(body["items"]) <= 32:
            return refused(400, "items must have 1 to 32 entries")
        shared = {name: value for name, value in body.items() if name not in {"items", "voices"}}
        results = []
        for index, item in enumerate(body["items"]):
            merged = shared | item
            if "voices" in body:
                merged["voice"] = body["voices"][item["voice"]]
            fault = self._complaint(merged)
            if fault is not None and (fault.status == 409 or "[whole]" in item["input"]):
                return fault
            result: dict[str, Any] = {"index": index, "status": "success", "media_type": self.wants}
            if fault is not None:
                result = {"index": index, "status": "error", "error": "Input text cannot be empty"}
            elif "[fail]" in item["input"]:
                result = {"index": index, "status": "error", "error": "CUDA error"}
            elif "[garble]" in item["input"]:
                result["audio_data"] = "!not base64!"
            else:
                result["audio_data"] = base64.b64encode(self._audio(item["input"])).decode()
            if "[omit]" not in item["input"]:
                results.append(result)
        results.reverse()  # the index tells whose it is, not the place
        return web.json_response({"id": "speech-batch-1", "results": results, "total": len(body["items"])})

    async def _profile(self, request: web.Request) -> web.StreamResponse:
        body, answer = await self._begin(request)
        if answer is not None:
            return answer
        for source in body["sources"]:
            if source["kind"] in {"sample", "designed"}:
                sf.read(io.BytesIO(base64.b64decode(source["audio"], validate=True)))
        return web.json_response(
            {
                "engine": "qwen3",
                "model": self.profile_model,
                "data": base64.b64encode(f"profile of {body['id']}".encode()).decode(),
                "facts": {"similarity": 0.75},
            }
        )

    # -- what the servers check -------------------------------------------------------------------------------------

    async def _begin(self, request: web.Request) -> tuple[dict[str, Any], web.StreamResponse | None]:
        body: dict[str, Any] = await request.json()
        self.asked.set()
        self.received.append(Received(path=request.path, headers=dict(request.headers), body=body))
        if not self._known(request):
            return body, refused(401, "Incorrect API key provided", type_="invalid_request_error")
        fault = self.faults.popleft() if self.faults else self.always
        return body, await self._befall(request, fault) if fault else None

    def _known(self, request: web.Request) -> bool:
        return not self.key or request.headers.get("Authorization") == f"Bearer {self.key}"

    def _complaint(self, body: dict[str, Any]) -> web.Response | None:
        if not body["input"].strip() or "[whole]" in body["input"]:
            return refused(400, f"Input text cannot be empty: {body['input']!r}")
        match self.dialect:
            case Dialect.OPENAI:
                unknown = sorted(set(body) - OPENAI_FIELDS)
                if unknown or not body.get("voice"):
                    return refused(400, f"Unknown parameter: {unknown}", type_="invalid_request_error")
                if body["voice"] == "nobody":
                    return refused(400, "no such thing", type_="invalid_request_error", param="voice")
            case Dialect.VLLM_OMNI:
                return self._omni_complaint(body)
            case Dialect.RECADO:
                return self._recado_complaint(body)
        return None

    def _omni_complaint(self, body: dict[str, Any]) -> web.Response | None:
        task = body.get("task_type") or ("Base" if body.get("ref_audio") else "CustomVoice")
        served = self.model.rpartition("-")[2] or "Base"
        if task != served:
            return refused(400, f"Qwen3-TTS {served} checkpoint does not support task_type='{task}'.")
        if body.get("language", "Auto") not in LANGUAGES:
            return refused(400, f"Invalid language {body['language']}")
        if task == "CustomVoice" and body.get("voice", "").lower() not in TIMBRES:
            return refused(400, f"Invalid speaker '{body.get('voice')}'. Supported: {', '.join(TIMBRES)}")
        if task == "VoiceDesign" and not body.get("instructions"):
            return refused(400, "VoiceDesign needs instructions")
        if task == "Base":
            head, _, data = body["ref_audio"].partition(",")
            if not head.startswith("data:audio/") or not head.endswith(";base64"):
                return refused(400, "ref_audio must be a URL or a base64 data URL")
            sf.read(io.BytesIO(base64.b64decode(data, validate=True)))
            if not body["x_vector_only_mode"] and not body.get("ref_text"):
                return refused(400, "ref_text is needed unless x_vector_only_mode is set")
        return None

    def _recado_complaint(self, body: dict[str, Any]) -> web.Response | None:
        voice = body["voice"]
        profile = voice.get("profile")
        if profile is not None and profile["model"] != self.profile_model:
            return refused(409, "the profile is another model's", type_="conflict", code="profile_unusable")
        recorded = [source for source in voice["sources"] if source["kind"] in {"sample", "designed"}]
        if profile is None and any("audio" not in source for source in recorded):
            return refused(400, "a recording is missing", param="voice")
        return None

    def _audio(self, text: str) -> bytes:
        audio = tone(text, seconds=expected_duration_s(text, "en"))
        if self.wants == "audio/pcm":
            return (audio.samples * 32767).astype("<i2").tobytes()
        file = io.BytesIO()
        kind = {"audio/wav": "WAV", "audio/flac": "FLAC", "audio/mpeg": "MP3", "audio/ogg": "OGG"}[self.wants]
        sf.write(
            file, audio.samples, audio.sample_rate_hz, format=kind, **({"subtype": "OPUS"} if kind == "OGG" else {})
        )
        return file.getvalue()

    async def _befall(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault in REFUSALS:
            return self._refused(fault)
        audio = self._audio("This was meant to be heard.")
        match fault:
            case Fault.SILENT:
                await asyncio.to_thread(self.released.wait)
                return web.Response(body=audio, content_type="audio/wav")
            case Fault.RESET:
                assert request.transport is not None
                request.transport.abort()
                return web.Response()
            case Fault.DRIPPING | Fault.UNENDED:
                return await self._raw(request, audio, drips=fault is Fault.DRIPPING)
            case Fault.LOST | Fault.ENDLESS:
                return await self._broken(request, audio, endless=fault is Fault.ENDLESS)
            case _:
                return self._spoiled(fault, audio)

    def _refused(self, fault: Fault) -> web.Response:
        match fault:
            case Fault.FULL:
                return refused(429, "too many requests", type_="rate_limit", headers={"Retry-After": "7"})
            case Fault.WARMING:
                return refused(503, "The request queue is full.")
            case Fault.MISSING:
                return web.json_response({"detail": "Not Found"}, status=404)
            case Fault.UNABLE:
                return refused(501, "no model here designs a voice", param="voice")
            case Fault.REDIRECT:
                return web.Response(status=307, headers={"Location": self.elsewhere})
            case _:
                return refused(500, "Internal error", type_="InternalServerError")

    def _spoiled(self, fault: Fault, audio: bytes) -> web.Response:
        """An answer of 200 with something wrong in it."""
        match fault:
            case Fault.GARBAGE:
                return web.Response(body=b"fLaC" + bytes(range(256)), content_type="audio/wav")
            case Fault.HTML:
                return web.Response(text="<html>please log in</html>", content_type="text/html")
            case Fault.TRUNCATED:
                return web.Response(body=audio[: len(audio) // 2], content_type=self.wants)
            case Fault.CRUMB:
                return web.Response(body=b"\x01", content_type="audio/pcm")
            case Fault.LIMIT:
                return web.Response(body=audio, content_type="audio/wav", headers={"X-Finish-Reason": "length"})
            case _:
                response = web.Response(body=audio, content_type="audio/wav")
                response.enable_compression(web.ContentCoding.gzip)
                return response

    async def _raw(self, request: web.Request, audio: bytes, *, drips: bool) -> web.StreamResponse:
        """What only a server without a proper HTTP library says."""
        transport = request.transport
        assert transport is not None
        transport.write(f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {self.wants}\r\n".encode())
        while drips and not self.released.is_set() and not transport.is_closing():
            transport.write(b"X-Drip: drop\r\n")
            await asyncio.sleep(0.02)
        transport.write(b"\r\n" + audio[: len(audio) // 2])
        transport.close()
        return web.Response()

    async def _broken(self, request: web.Request, audio: bytes, *, endless: bool) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        if not endless:
            response.content_length = len(audio)
        await response.prepare(request)
        await response.write(audio[: len(audio) // 2])
        while endless:
            await response.write(bytes(1_000_000))
        assert request.transport is not None
        request.transport.close()
        return response


def refused(
    status: int,
    message: str,
    *,
    type_: str = "BadRequestError",
    param: str | None = None,
    code: str | int | None = None,
    headers: dict[str, str] | None = None,
) -> web.Response:
    """The error envelope that all of them share."""
    error = {"message": message, "type": type_, "param": param, "code": code or status}
    return web.json_response({"error": error}, status=status, headers=headers)


@contextmanager
def running(*servers: SpeechServer) -> Iterator[None]:
    """The servers answer on ports of their own, in a thread and loop of their own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="speech-servers")
    thread.start()
    runners: list[web.AppRunner] = []

    async def start(server: SpeechServer) -> None:
        runner = web.AppRunner(server.app(), shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.port = runner.addresses[0][1]
        runners.append(runner)

    try:
        for server in servers:
            asyncio.run_coroutine_threadsafe(start(server), loop).result()
        yield
    finally:
        for server in servers:
            server.released.set()
        for runner in runners:
            asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result()
        asyncio.run_coroutine_threadsafe(loop.shutdown_default_executor(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
