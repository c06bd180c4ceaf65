"""How the prompt that is running is ended from outside, as by a signal.

Does not hear the signal (interrupts.py) and does not run prompts (editor.py, picker.py).
"""

from contextlib import suppress

from prompt_toolkit.application.current import get_app_or_none


def end_prompt() -> bool:
    """Let the running prompt_toolkit prompt raise EOFError, as soon as its event loop comes to it; is there one?

    An exception that a signal's handler raises itself may fall into a task of prompt_toolkit's that nobody waits for:
    it is printed with its traceback then, or into a destructor, where it is lost.
    """
    app = get_app_or_none()
    if not app or not app.loop:
        return False

    def end() -> None:
        with suppress(Exception):  # the line has just been sent: prompt_toolkit knows no error of its own for this
            app.exit(exception=EOFError)

    app.loop.call_soon_threadsafe(end)  # wakes the loop, too
    return True
