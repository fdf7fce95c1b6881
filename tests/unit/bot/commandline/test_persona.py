from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from bot.commandline.persona import persona
from bot.persona import dump_persona, parse_persona, shipped_personas

NINA = next(one for one in shipped_personas() if one.id == "nina")
Recado = Callable[..., Result]


def written(folder: Path, text: str, name: str = "persona.yaml") -> str:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return str(path)


@pytest.fixture
def nina_file(tmp_path: Path) -> str:
    return written(tmp_path, dump_persona(NINA))


def test_an_import_tells_that_a_persona_is_new(recado: Recado, nina_file: str) -> None:
    assert recado(persona, "import", nina_file).output == "nina: new, version 1\n"


def test_importing_the_same_again_changes_nothing(recado: Recado, nina_file: str) -> None:
    recado(persona, "import", nina_file)
    assert recado(persona, "import", nina_file).output == "nina: unchanged, version 1\n"


def test_an_import_tells_what_changed_and_the_new_version(recado: Recado, nina_file: str, tmp_path: Path) -> None:
    recado(persona, "import", nina_file)
    changed = replace(NINA, greeting="Oi!", voice=replace(NINA.voice, speed=1.2))
    output = recado(persona, "import", written(tmp_path, dump_persona(changed), "changed.yaml")).output
    assert output == "nina: version 1 → 2, changed: greeting, voice\n"


def test_a_bad_file_is_refused_with_the_path_of_every_problem_and_nothing_is_stored(
    recado: Recado, nina_file: str, tmp_path: Path
) -> None:
    document = dump_persona(NINA).replace("language: pt-BR", "language: Portuguese").replace("speed: 1.0", "speed: 9")
    result = recado(persona, "import", nina_file, written(tmp_path, document, "bad.yaml"))
    assert result.exit_code == 1
    assert "bad.yaml: language: " in result.output
    assert "bad.yaml: voice.speed: " in result.output
    assert "nina" not in recado(persona, "list").output


def test_an_export_imports_to_the_same_persona(recado: Recado, nina_file: str, tmp_path: Path) -> None:
    recado(persona, "import", nina_file)
    exported = tmp_path / "out.yaml"
    assert recado(persona, "export", "nina", "-o", str(exported)).exit_code == 0
    assert parse_persona(exported.read_bytes()) == NINA
    assert recado(persona, "import", str(exported)).output == "nina: unchanged, version 1\n"


def test_an_export_without_a_file_is_nothing_but_the_document(recado: Recado, nina_file: str) -> None:
    recado(persona, "import", nina_file)
    assert parse_persona(recado(persona, "export", "nina").stdout) == NINA


def test_the_list_shows_what_is_stored(recado: Recado, nina_file: str) -> None:
    recado(persona, "import", nina_file)
    heads, line = recado(persona, "list").output.splitlines()
    assert heads.split()[:3] == ["ID", "NAME", "LANGUAGE"]
    assert line.split()[:3] == ["nina", "Nina", "pt-BR"]


def test_an_empty_store_says_how_to_add_a_persona(recado: Recado) -> None:
    assert "recado persona import" in recado(persona, "list").output


def test_a_persona_is_shown_with_its_greeting_and_voice(recado: Recado, nina_file: str) -> None:
    recado(persona, "import", nina_file)
    words = " ".join(recado(persona, "show", "nina").output.split())
    assert NINA.greeting in words
    assert NINA.voice.prompt in words


@pytest.mark.parametrize("command", ["show", "export"])
def test_an_unknown_persona_is_refused_with_those_that_are_known(recado: Recado, nina_file: str, command: str) -> None:
    recado(persona, "import", nina_file)
    result = recado(persona, command, "nobody")
    assert result.exit_code == 1
    assert "Known: nina" in result.output


def test_a_persona_is_deleted_only_after_a_yes(recado: Recado, nina_file: str) -> None:
    recado(persona, "import", nina_file)
    assert recado(persona, "delete", "nina", answer="n\n").exit_code == 1
    assert "nina" in recado(persona, "list").output
    assert recado(persona, "delete", "nina", answer="y\n").exit_code == 0
    assert "nina" not in recado(persona, "list").output


def test_deleting_an_unknown_persona_fails(recado: Recado) -> None:
    assert recado(persona, "delete", "nobody", "--yes").exit_code == 1


@pytest.mark.usefixtures("workplace")
def test_a_good_file_is_checked_without_a_store(nina_file: str) -> None:
    result = CliRunner().invoke(persona, ["check", nina_file])
    assert result.exit_code == 0
    assert "nina (Nina, pt-BR) is a valid persona" in result.output


@pytest.mark.usefixtures("workplace")
def test_a_bad_file_fails_the_check_with_the_field(tmp_path: Path) -> None:
    result = CliRunner().invoke(persona, ["check", written(tmp_path, "id: Nina\n")])
    assert result.exit_code == 1
    assert "persona.yaml: id: " in result.output
    assert "persona.yaml: greeting: " in result.output


@pytest.mark.usefixtures("workplace")
def test_the_shipped_personas_are_listed_without_a_store() -> None:
    output = CliRunner().invoke(persona, ["list", "--shipped"]).output
    assert {line.split()[0] for line in output.splitlines()[1:]} == {one.id for one in shipped_personas()}


@pytest.mark.usefixtures("workplace")
def test_without_a_store_the_error_names_the_cure() -> None:
    result = CliRunner().invoke(persona, ["list"])
    assert result.exit_code == 1
    assert "recado store" in result.output


@pytest.mark.usefixtures("workplace")
def test_an_address_that_is_none_is_refused_with_the_right_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", "localhost:6379")
    result = CliRunner().invoke(persona, ["list"])
    assert result.exit_code == 1
    assert "redis://" in result.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"voice": "qwen3-nobody"}, "voice: unknown timbre 'qwen3-nobody'; valid: qwen3-aiden"),
        ({"voice": {"engines": ["nope"]}}, "voice.engines: unknown engine nope; valid: bark"),
        ({"voice": {"sources": [{"kind": "timbre", "ref": "nobody"}]}}, "voice.sources: unknown timbre 'nobody'"),
        ({"voice": {"stand_in": [{"kind": "style", "ref": "nope"}]}}, "voice.stand_in: unknown style 'nope'"),
        ({"language": "xx"}, "language: no engine speaks 'xx'"),
    ],
)
@pytest.mark.parametrize("command", ["check", "import"])
def test_a_name_that_nothing_here_knows_is_refused_with_the_valid_ones(
    recado: Recado, tmp_path: Path, command: str, change: dict[str, object], words: str
) -> None:
    document = yaml.safe_load(dump_persona(NINA)) | change

    result = recado(persona, command, written(tmp_path, yaml.safe_dump(document, allow_unicode=True)))

    assert result.exit_code == 1
    assert words in result.output
    assert "No persona is stored yet" in recado(persona, "list").output


def test_who_only_writes_may_use_a_language_that_no_engine_speaks(recado: Recado, tmp_path: Path) -> None:
    document = yaml.safe_load(dump_persona(NINA)) | {"language": "sv", "reply_mode": "text"}

    assert recado(persona, "import", written(tmp_path, yaml.safe_dump(document))).exit_code == 0


@pytest.mark.parametrize("name", ["ana", "qwen3-clone-ana"])
def test_a_persona_whose_voice_is_not_stored_is_not_imported(recado: Recado, tmp_path: Path, name: str) -> None:
    file = written(tmp_path, dump_persona(replace(NINA, voice_id=name)))

    result = recado(persona, "import", file)

    assert result.exit_code == 1
    assert "no voice 'ana' is stored; stored: none" in result.output
    assert "No persona is stored yet" in recado(persona, "list").output
    assert "`import` checks" in recado(persona, "check", file).output


def test_a_timbre_needs_no_stored_voice(recado: Recado, tmp_path: Path) -> None:
    recado(persona, "import", written(tmp_path, dump_persona(replace(NINA, voice_id="qwen3-ryan"))))

    assert "timbre qwen3-ryan" in recado(persona, "show", "nina").output
