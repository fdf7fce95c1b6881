"""What is read on the phone page: marks, words of notes, who speaks, at every width, by every reader."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.tiny_bot import TinyBot, serious_violations, write

pytestmark = pytest.mark.browser

LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft"

# What sticks out of its box sideways, but for what scrolls, is only for screen readers or stands beside on purpose.
STICKING_OUT = """() => [...document.querySelectorAll(".phone *, .drawer *, .people *")]
  .filter((one) => one.clientWidth > 1 && !one.closest(".visually-hidden, pre, svg"))
  .filter((one) => getComputedStyle(one).display !== "inline")
  .filter((one) => !["auto", "scroll", "hidden"].includes(getComputedStyle(one).overflowX))
  .filter((one) => !one.matches(".bubble") && one.scrollWidth > one.clientWidth + 1)
  .map((one) => `${one.tagName} ${one.className} ${one.scrollWidth} > ${one.clientWidth}`)"""

OVERLAPPING = """() => [...document.querySelectorAll("voice-note")].filter((note) => {
  const last = note.querySelector(".peaks i:last-child").getBoundingClientRect();
  return last.right > note.querySelector(".speed").getBoundingClientRect().left || last.width <= 0;
}).length"""

# Words that a line end cuts: the same text needs no more lines where it may not be broken inside of words.
BROKEN_WORDS = """() => [...document.querySelectorAll(".counters dt")].filter((label) => {
  const box = label.getBoundingClientRect();
  const range = document.createRange();
  range.selectNodeContents(label);
  const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top))).size;
  return lines > label.textContent.trim().split(/\\s+/).length || label.scrollWidth > box.width + 1;
}).map((label) => label.textContent)"""


async def html_of(page: Page, text: str) -> str:
    """What the page makes of a message of the person's."""
    await write(page, text)
    bubble = page.locator(".bubble.mine").last
    await expect(bubble).to_be_visible()
    return str(await bubble.locator(".text").inner_html())


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*oi*", "<strong>oi</strong>"),
        ("_oi_, ~tudo~ `bem`?", "<em>oi</em>, <s>tudo</s> <code>bem</code>?"),
        ("• *parar*: sair", "• <strong>parar</strong>: sair"),
        ("*_oi_ você*", "<strong><em>oi</em> você</strong>"),
        ("`*a*`", "<code>*a*</code>"),
        ("```a *b*\n_c_```", '<code class="block">a *b*\n_c_</code>'),
        ("2*3*4 e nome_de_arquivo_longo", "2*3*4 e nome_de_arquivo_longo"),
        ("5 * 3 * 2 = 30", "5 * 3 * 2 = 30"),
        ("*aberto\nnunca* fechado", "*aberto\nnunca* fechado"),
        ("*ação*!", "<strong>ação</strong>!"),
        ("*<img src=x onerror=alert(1)>*", "<strong>&lt;img src=x onerror=alert(1)&gt;</strong>"),
        ("```<script>alert(1)</script>```", '<code class="block">&lt;script&gt;alert(1)&lt;/script&gt;</code>'),
    ],
)
async def test_whatsapps_marks_are_shown_as_formatting_and_everything_else_as_text(
    page: Page, text: str, html: str
) -> None:
    assert await html_of(page, text.replace("\\n", "\n")) == html.replace("\\n", "\n")


async def test_many_marks_that_nothing_closes_stay_text_and_hold_nothing_up(page: Page) -> None:
    text = "*a _b ~c " * 450
    assert await html_of(page, text) == text.strip()


async def test_quotes_and_the_list_of_people_show_the_marks_too(page: Page) -> None:
    await write(page, "*oi* gente")
    await expect(page.locator(".bubble.theirs .quote strong")).to_have_text("oi")
    await write(page, "menu")
    await expect(page.locator(".choices")).to_be_visible()
    await expect(page.locator("[aria-current] .person-last")).to_have_text("Quer falar com quem?")


async def test_the_words_of_a_note_unfold_by_the_keyboard_in_their_own_language(page: Page) -> None:
    await write(page, "bom dia")
    unfolding = page.locator(".bubble.theirs .unfolding")
    await unfolding.get_by_text("Transcrição").focus()
    await page.keyboard.press("Enter")
    await expect(unfolding.locator("p")).to_have_text("Você disse bom dia?")
    await expect(unfolding.locator("p")).to_have_attribute("lang", "pt-BR")
    await page.keyboard.press("Enter")
    await expect(unfolding.locator("p")).to_be_hidden()


async def test_a_note_whose_words_are_gone_says_so(page: Page, bot: TinyBot) -> None:
    await write(page, "bom dia")
    await expect(page.locator("voice-note")).to_be_visible()
    bot.captions.clear()
    await page.reload()
    await page.get_by_text("Transcrição").click()
    await expect(page.locator(".unfolding p")).to_have_text("Sem transcrição disponível.")
    await expect(page.locator("#speaker")).to_be_hidden()


async def record(page: Page) -> None:
    await page.get_by_role("button", name="Gravar recado de voz").press("Enter")
    await expect(page.get_by_role("timer")).to_have_text("0:01")
    await page.get_by_role("button", name="Enviar gravação").click()


async def test_the_header_tells_who_speaks_and_follows_a_switch(page: Page) -> None:
    await expect(page.locator("#speaker")).to_be_hidden()
    await write(page, "oi")
    await expect(page.locator("#speaker")).to_have_text("Quem fala: Nina")
    await record(page)
    await expect(page.locator("#speaker")).to_have_text("Quem fala: Theo")
    await page.get_by_role("button", name="Grace Miller").click()
    await expect(page.locator("#speaker")).to_be_hidden()


async def test_what_was_understood_of_a_persons_note_unfolds_under_it(page: Page) -> None:
    await record(page)
    own = page.locator(".bubble.mine .unfolding")
    await own.get_by_text("O que foi entendido").press("Enter")
    await expect(own.locator("p")).to_have_text("alô, Theo")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 400])
async def test_nothing_overlaps_or_breaks_on_a_small_phone(page: Page, width: int, scheme: Any) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.set_viewport_size({"width": width, "height": 740})
    await write(page, f"{LONG_WORD} *{LONG_WORD}*")
    await expect(page.locator("voice-note")).to_be_visible()
    await page.get_by_text("Transcrição").click()
    await expect(page.locator(".unfolding p")).to_contain_text("Você disse")
    assert await page.evaluate(OVERLAPPING) == 0
    await page.get_by_role("button", name="Desenvolvimento").click()
    await expect(page.locator(".deliveries details").first).to_be_visible()
    assert await page.evaluate(STICKING_OUT) == []
    assert await page.evaluate(BROKEN_WORDS) == []
    assert await serious_violations(page) == []


@pytest.mark.parametrize("language", ["pt-BR", "en"])
async def test_transcripts_have_no_accessibility_violation_in_either_language(
    page: Page, bot: TinyBot, language: str
) -> None:
    await page.goto(f"{bot.graph}/?lang={language}")
    box = page.get_by_role("textbox", name={"pt-BR": "Mensagem", "en": "Message"}[language])
    await box.fill("*oi* `x`")
    await page.keyboard.press("Enter")
    await page.get_by_text({"pt-BR": "Transcrição", "en": "Transcript"}[language]).click()
    await expect(page.locator(".unfolding p")).to_contain_text("Você disse")
    assert await serious_violations(page) == []


async def test_the_drawer_closes_by_escape_and_gives_the_focus_back(page: Page) -> None:
    button = page.get_by_role("button", name="Desenvolvimento")
    await button.click()
    await page.keyboard.press("Escape")
    await expect(page.locator("#drawer")).to_be_hidden()
    await expect(button).to_be_focused()


async def test_the_newest_message_stays_in_view_when_something_takes_room_below_it(page: Page) -> None:
    await page.set_viewport_size({"width": 360, "height": 740})
    for text in ("um", "dois", "três", "quatro"):
        await write(page, text)
    await expect(page.locator("voice-note")).to_have_count(4)
    newest = page.locator(".bubble.theirs").last
    await expect(newest).to_be_in_viewport(ratio=1)
    await newest.hover()
    await newest.get_by_role("button", name="Ações da mensagem").click()
    await page.get_by_role("button", name="Responder").click()
    await expect(page.locator("#quote-strip")).to_be_visible()
    await expect(newest).to_be_in_viewport(ratio=1)
    await page.set_viewport_size({"width": 360, "height": 520})  # as when a keyboard opens
    await expect(newest).to_be_in_viewport(ratio=1)
