"""What the flags of play take where that is for other rooms to say; those are loaded when a value is given.

So a wrong one is refused before anything is opened, and `advrepl config` keeps none.
"""

from advrepl.cli.flags import read_whole


def read_options(text: str) -> int:
    """Return how many options are offered; raises AdvreplError."""
    from advrepl.story.scenario import MAX_OPTIONS

    return read_whole("options", text, 0, MAX_OPTIONS)


def read_format(text: str) -> str:
    """Return the name of a prompt format; raises AdvreplError."""
    from advrepl.prompt.formats import check_name

    return check_name(text)


def read_preset(text: str) -> str:
    """Return the name of a preset, which may be the player's own; raises AdvreplError."""
    from advrepl import paths
    from advrepl.sampling import presets

    presets.find(text, paths.presets_folder())
    return text


def read_language(text: str) -> str:
    """Return what a story can be told in; raises AdvreplError."""
    from advrepl.prompt import languages

    languages.code(text)
    return text


def read_think(text: str) -> str:
    """Return how long a model may think; raises AdvreplError."""
    from advrepl.play.thoughts import read_thinking

    read_thinking(text)
    return text


def read_limit(text: str) -> str:
    """Return the size that cache files may take; raises AdvreplError."""
    from advrepl.engines.kv.store import parse_limit

    parse_limit(text)
    return text
