import pytest

from webhooks.contract import MediaRefused, Refused
from webhooks.messages import Menu, MenuRow, Person
from webhooks.whatsapp import payloads

ANA = Person(phone="5511987654321", user_id="BR.1349")


def menu(
    rows: int = 1, *, button: str = "Escolher", title: str = "Lia", description: str = "", row_id: str = ""
) -> Menu:
    return Menu(
        button=button,
        rows=tuple(MenuRow(id=row_id or f"r{n}", title=title, description=description) for n in range(rows)),
    )


def test_a_voice_note_says_that_it_is_one() -> None:
    assert payloads.voice(ANA, "media-1", quote="wamid.1", callback_data="turn-7:0:1") == {
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": "5511987654321",
        "context": {"message_id": "wamid.1"},
        "biz_opaque_callback_data": "turn-7:0:1",
        "type": "audio",
        "audio": {"id": "media-1", "voice": True},
    }


def test_a_person_without_a_number_is_written_to_by_user_id() -> None:
    payload = payloads.text(Person(user_id="BR.1349"), "Oi", quote=None, callback_data="t")
    assert payload["recipient"] == "BR.1349"
    assert "to" not in payload


def test_a_person_with_a_number_is_written_to_by_number_only() -> None:
    payload = payloads.text(ANA, "Oi", quote=None, callback_data="t")
    assert payload["to"] == "5511987654321"
    assert "recipient" not in payload


def test_what_answers_nothing_quotes_nothing() -> None:
    assert "context" not in payloads.text(ANA, "Oi", quote=None, callback_data="t")


def test_a_text_may_have_4096_characters() -> None:
    assert payloads.text(ANA, "a" * 4096, quote=None, callback_data="t")["text"]["body"] == "a" * 4096


@pytest.mark.parametrize("body", ["", " \n", "a" * 4097])
def test_a_text_of_no_or_too_many_characters_is_refused(body: str) -> None:
    with pytest.raises(Refused):
        payloads.text(ANA, body, quote=None, callback_data="t")


def test_nobody_cannot_be_written_to() -> None:
    with pytest.raises(Refused):
        payloads.text(Person(), "Oi", quote=None, callback_data="t")


def test_callback_data_too_long_to_come_back_is_a_mistake_of_ours() -> None:
    with pytest.raises(ValueError, match="512"):
        payloads.text(ANA, "Oi", quote=None, callback_data="t" * 513)


def test_a_menu_is_a_list_with_its_labels_cut_to_fit() -> None:
    choice = menu(button="B" * 21, title="T" * 25, description="D" * 73)
    action = payloads.menu(ANA, "Com quem?", choice, quote=None, callback_data="t")["interactive"]["action"]
    row = action["sections"][0]["rows"][0]
    assert (action["button"], row["title"], row["description"]) == ("B" * 19 + "…", "T" * 23 + "…", "D" * 71 + "…")


def test_labels_that_fit_stay_as_they_are() -> None:
    choice = menu(10, button="B" * 20, title="T" * 24, description="D" * 72)
    action = payloads.menu(ANA, "Com quem?", choice, quote=None, callback_data="t")["interactive"]["action"]
    assert action["sections"][0]["rows"][9] == {"id": "r9", "title": "T" * 24, "description": "D" * 72}
    assert action["button"] == "B" * 20


@pytest.mark.parametrize(
    "choice",
    [menu(0), menu(11), menu(row_id="i" * 201), menu(2, row_id="same"), menu(title=" "), menu(button="")],
    ids=["no rows", "11 rows", "a long id", "the same id twice", "an empty title", "an empty button"],
)
def test_a_menu_that_cannot_be_mended_is_refused(choice: Menu) -> None:
    with pytest.raises(Refused):
        payloads.menu(ANA, "Com quem?", choice, quote=None, callback_data="t")


@pytest.mark.parametrize(
    ("typing", "more"), [(False, {}), (True, {"typing_indicator": {"type": "text"}})], ids=["read", "typing"]
)
def test_a_read_receipt_may_show_typing(typing: bool, more: dict[str, object]) -> None:  # noqa: FBT001  a table's column
    expected = {"messaging_product": "whatsapp", "status": "read", "message_id": "wamid.1"} | more
    assert payloads.read_receipt("wamid.1", typing=typing) == expected


@pytest.mark.parametrize("data", [b"", b"ID3", b"RIFF", b"OggS" + bytes(16 * 2**20)])
def test_what_cannot_be_a_voice_note_is_not_uploaded(data: bytes) -> None:
    with pytest.raises(MediaRefused):
        payloads.check_voice_note(data)
