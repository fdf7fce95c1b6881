"""Performs a turn's effects, and is the only place that does: `bot.turn` says what is next, this does and reports it.

service    takes claims; whatever fails ends here
run        one owner's work on one turn: step by step, every event durable before the next step
speaking, sending, ending    the effects: a note is made, a part goes out, what the turn changes becomes true
telling    what operators read of a note
pauses     why a turn does not go on now
"""

from bot.service.dependencies import Dependencies
from bot.service.service import TurnService

__all__ = ["Dependencies", "TurnService"]
