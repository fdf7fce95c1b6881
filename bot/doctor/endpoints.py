"""Checks of the OpenAI-compatible servers an installation may name. Sends no text and no audio."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field

import httpx

from bot.doctor.finding import Finding, fail, ok, warn
from bot.doctor.network import NoAnswer, ask, host_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelServer:
    """Where it is and what it is asked for. `prefix` is that of its settings: LLM or STT."""

    base_url: str
    key: str = field(repr=False)
    model: str
    prefix: str


async def model_server(client: httpx.AsyncClient, name: str, server: ModelServer) -> Finding:
    """Whether `GET {base_url}/models` answers and lists the model."""
    key, model, prefix = server.key, server.model, server.prefix
    host = host_of(server.base_url)
    if not model:
        return fail(name, f"{prefix}_MODEL is not set", f"Set {prefix}_MODEL to a model that {host} serves.")
    try:
        answer = await ask(client, server.base_url.rstrip("/") + "/models", bearer=key)
    except NoAnswer as error:
        return fail(name, f"{host}: {error}", f"Check {prefix}_BASE_URL and that the server runs.")
    if answer.status in {401, 403}:
        problem = "refuses the key" if key else "wants a key"
        return fail(name, f"{host} {problem} ({answer.status})", f"Set {prefix}_API_KEY to a key of that server.")
    listed = answer.document.get("data")
    if answer.status == 404 or (answer.status == 200 and not isinstance(listed, list)):
        cure = f"Check that {prefix}_BASE_URL ends in /v1, if every request fails."
        return warn(name, f"{host} answers, but lists no models", cure)
    if answer.status != 200 or not isinstance(listed, list):
        return fail(name, f"{host} answered {answer.status}", "Look at that server's log, or try again later.")
    ids = [str(one.get("id", "")) for one in listed if isinstance(one, dict)]
    if model in ids or f"{model}:latest" in ids:
        return ok(name, f"{host} serves {model}")
    near = difflib.get_close_matches(model, ids, n=3, cutoff=0.4) or ids[:3]
    cure = f"Set {prefix}_MODEL to one it lists" + (f", for example {', '.join(near)}." if near else ".")
    return warn(name, f"{host} does not list {model}", cure)
