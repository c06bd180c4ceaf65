"""Where `advrepl` and `python -m advrepl` begin, before anything is loaded that takes time."""

import os
import signal


def main() -> None:
    """Load the command line and run it; a Ctrl-C meanwhile ends the program with 130 and without a word."""
    usual = signal.getsignal(signal.SIGINT)
    if usual is signal.default_int_handler:
        # Not by KeyboardInterrupt: raised in a callback of the import machinery, it is printed and lost.
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    from advrepl import cli

    try:
        signal.signal(signal.SIGINT, usual)
        cli.main()
    except KeyboardInterrupt:
        os._exit(130)  # nothing has begun


if __name__ == "__main__":
    main()
