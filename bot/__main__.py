"""`recado`: the program. Wires the commands of `bot.commandline`; each says more with --help."""

from __future__ import annotations

import click

from bot.commandline.demo import demo
from bot.commandline.doctor import doctor
from bot.commandline.processes import emulator, store, up, web_process, worker
from bot.commandline.say import say


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="recado", prog_name="recado")
def main() -> None:
    """Answer WhatsApp chats in a persona's voice.

    Start with `recado demo` (needs nothing), `recado doctor` (checks this machine and your settings) or
    `recado say "Olá!"` (text to voice note). Settings come from the environment and `.env`.
    """


for command in (up, demo, web_process, worker, store, emulator, say, doctor):
    main.add_command(command)

if __name__ == "__main__":
    main(prog_name="recado")
