"""The /commands: a table of handlers, filled by the modules of this folder.

A command is a function with `@command` in one of the modules named here, and nothing else: /help, completion and the
README's list come from the table. It does not print; what it has to say comes out as events, so that it works at a
terminal, in a pipe and as JSON.
"""

# In the order of `/help all`.
from advrepl.terminal.commands import help, story, verbs, tree, sampling, scenario, portrait  # noqa: F401, I001
from advrepl.terminal.commands import memory, inventory, window, reading, switch, save  # noqa: F401
from advrepl.terminal.commands.table import COMMANDS, Quit, Then, answer, answer_at_once, needs_model, run
from advrepl.terminal.commands.window import speed

__all__ = ["COMMANDS", "Quit", "Then", "answer", "answer_at_once", "needs_model", "run", "speed"]
