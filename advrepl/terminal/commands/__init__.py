"""The /commands: a table of handlers, filled by the modules of this folder."""

from advrepl.terminal.commands.handlers import KEYS, command_list, numbered, speed
from advrepl.terminal.commands.table import COMMANDS, Quit, command, find, is_command, run

__all__ = ["COMMANDS", "KEYS", "Quit", "command", "command_list", "find", "is_command", "numbered", "run", "speed"]
