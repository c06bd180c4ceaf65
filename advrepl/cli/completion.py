"""What the shell completes behind a command or an option, each with a word on it (`advrepl --install-completion`).

Loads what it needs only when it is asked.
"""

from collections.abc import Iterator

Completion = tuple[str, str]  # the name, and what it is


def beginnings(incomplete: str) -> Iterator[Completion]:
    """Yield the scenarios and characters; the shell itself completes files."""
    from advrepl.play.beginnings import beginnings as known

    return ((each.name, each.about) for each in known() if each.name.startswith(incomplete))


def stories(incomplete: str) -> Iterator[Completion]:
    """Yield the stories of the usual folder."""
    import os
    from pathlib import Path

    from advrepl import paths
    from advrepl.story.glance import find, glance

    usual = os.environ.get("ADVREPL_SAVES")
    for path in find(paths.saves_folder(Path(usual) if usual else None)):
        if path.stem.startswith(incomplete) and (seen := glance(path)).readable:
            yield seen.name, f"{seen.title}, {seen.length}, {seen.changed}"


def models(incomplete: str) -> Iterator[Completion]:
    """Yield the models that lie here."""
    from advrepl.engines import installed

    for path in (*installed.installed(), *installed.folders()):
        if (name := installed.name_of(path)).startswith(incomplete):
            yield name, f"{installed.bytes_of(path) / 1e9:.2f} GB"


def presets(incomplete: str) -> Iterator[Completion]:
    """Yield the presets."""
    from advrepl import paths
    from advrepl.sampling import presets as known

    folder = paths.presets_folder()
    return ((name, "") for name in known.names(folder) if name.startswith(incomplete))
