"""Text adventures and roleplay on local language models, in a terminal."""

__version__ = "0.1.0"


class AdvreplError(Exception):
    """Something went wrong that the player can act on; the message is the sentence that is shown."""
