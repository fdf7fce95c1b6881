"""`recado`: the program. Finds the commands of `bot.commandline`; each says more with --help.

A command is imported when it is called: `recado doctor` must run where half the packages are missing.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any, NamedTuple, NoReturn

import click

from bot.logs import configure_logging

CLOSED_PIPE = 141  # what a shell reports of a program that SIGPIPE ended


class _Entry(NamedTuple):
    place: str
    summary: str


COMMANDS = {
    "demo": _Entry("demo:demo", "Try everything on this machine: no account, no settings."),
    "up": _Entry("processes:up", "Run store, web and worker together; what dies is started again."),
    "say": _Entry("say:say", "Speak a text into a voice note; needs nothing running."),
    "verify": _Entry("verify:verify", "Say whether we made a sound file, and show its signed record."),
    "doctor": _Entry("doctor:doctor", "Check this machine and your settings, with a cure for each finding."),
    "persona": _Entry("persona:persona", "List, import, export and check personas."),
    "voice": _Entry("voice.commands:voice", "Make, mix and hear voices; take samples with consent."),
    "turns": _Entry("operate:turns", "List the newest turns."),
    "turn": _Entry("operate:turn", "Show what happened to one turn, part by part."),
    "dead": _Entry("operate:dead", "Turns that need a human: list, show, replay, discard."),
    "sending": _Entry("operate:sending", "Whether anything may be sent, and letting it go on."),
    "conversation": _Entry("operate:conversation", "Take a conversation over from the bot, and hand it back."),
    "store": _Entry("processes:store", "Run the embedded Valkey."),
    "web": _Entry("processes:web_process", "Run the webhook receiver."),
    "worker": _Entry("processes:worker", "Run the worker: it hears, speaks and sends."),
    "emulator": _Entry("processes:emulator", "Run the Cloud API emulator with its phone page."),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].place.partition(":")
        command: click.Command = getattr(importlib.import_module(f"bot.commandline.{module}"), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what an operator can mend is told as a sentence, never as a traceback."""
        try:
            return super().invoke(ctx)
        except click.exceptions.Exit:
            raise
        except BrokenPipeError:
            _end_quietly()
        except Exception as error:
            if _is_operators(error):
                raise click.ClickException(str(error)) from error
            raise

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in COMMANDS.items()])


def _end_quietly() -> NoReturn:
    """End as SIGPIPE would: whoever read our output has enough. What is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    raise SystemExit(CLOSED_PIPE)


def _is_operators(error: Exception) -> bool:
    """Whether the message, not the traceback, is what helps: a store, a file, a port, a setting."""
    from redis.exceptions import RedisError  # noqa: PLC0415 - only when something went wrong

    from bot.mailbox.errors import MailboxError  # noqa: PLC0415 - the same
    from bot.store import StoreError  # noqa: PLC0415 - the same

    return isinstance(error, StoreError | MailboxError | RedisError | OSError)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="recado", prog_name="recado")
def main() -> None:
    """Answer WhatsApp chats in a persona's voice.

    Start with `recado demo` (needs nothing), `recado doctor` (checks this machine and your settings) or
    `recado say "Olá!"` (text to voice note). Settings come from the environment and `.env`.
    """
    # Short commands write their result to standard output; what is worth a warning goes beside it.
    configure_logging(process="recado", level="WARNING", log_format="console")


if __name__ == "__main__":
    main(prog_name="recado")
