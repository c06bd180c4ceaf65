"""What is asked before anything happens, of somebody at a terminal."""

from collections.abc import Callable


def answer(question: str) -> str:
    """Ask for a line, which may be empty; so it is at the end of the input."""
    from advrepl.terminal.interrupts import ask_line
    from advrepl.terminal.text import visible

    try:
        line = ask_line(visible(f"{question} ")).strip()
        return line.encode(errors="surrogateescape").decode(errors="replace")
    except EOFError:
        print()
        return ""


def agrees(question: str, ask: Callable[[str], str] = answer) -> bool:
    """Ask for a yes; anything else, the end of the input too, is a no."""
    return ask(f"{question} [y/N]").casefold() in ("y", "yes")
