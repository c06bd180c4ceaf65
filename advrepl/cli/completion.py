"""What the shell completes behind a command or an option, each with a word on it (`advrepl --install-completion`).

Loads what it needs only when it is asked. Where nothing fits, the shell itself completes files.
"""

from collections.abc import Callable, Iterable, Iterator

import typer

Completion = tuple[str, str]  # the name, and what it is
# zsh runs this file at the first Tab, and what typer wrote there only says how the next ones are answered.
ZSH_ANSWER = '\n_advrepl_completion "$@"\n'


def mend_zsh() -> None:
    """Have zsh complete at the first Tab of a shell as well; where typer has installed nothing for it, do nothing."""
    from pathlib import Path

    path = Path.home() / ".zfunc" / "_advrepl"
    if path.exists() and not (script := path.read_text("utf-8")).endswith(ZSH_ANSWER):
        path.write_text(script.rstrip() + ZSH_ANSWER, "utf-8")


def words(all_of: Iterable[str]) -> Callable[[str], Iterator[Completion]]:
    """Return what completes one of these words."""
    return lambda incomplete: ((each, "") for each in all_of if each.startswith(incomplete))


def beginnings(incomplete: str) -> Iterator[Completion]:
    """Yield the scenarios and characters."""
    from advrepl.play.beginnings import beginnings as known

    return ((each.name, each.about) for each in known() if each.name.startswith(incomplete))


def characters(incomplete: str) -> Iterator[Completion]:
    """Yield the characters, which have a card."""
    from advrepl.story.scenario import BUILT_IN

    return (each for each in beginnings(incomplete) if each[0] not in BUILT_IN)


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


def forms(incomplete: str) -> Iterator[Completion]:
    """Yield the forms that a story can be exported in."""
    from advrepl.exchange.pages import FORMS

    return words(FORMS)(incomplete)


def models(incomplete: str) -> Iterator[Completion]:
    """Yield the models that lie here."""
    from advrepl.engines import installed

    for path in (*installed.installed(), *installed.folders()):
        if (name := installed.name_of(path)).startswith(incomplete):
            yield name, f"{installed.bytes_of(path) / 1e9:.2f} GB"


def known_models(incomplete: str) -> Iterator[Completion]:
    """Yield the models of the short list of those to fetch."""
    from advrepl.engines.known import KNOWN

    return ((each.name, each.about) for each in KNOWN if each.name.startswith(incomplete))


def presets(incomplete: str) -> Iterator[Completion]:
    """Yield the presets."""
    from advrepl import paths
    from advrepl.sampling import presets as known

    folder = paths.presets_folder()
    return ((name, "") for name in known.names(folder) if name.startswith(incomplete))


def prompt_formats(incomplete: str) -> Iterator[Completion]:
    """Yield the prompt formats."""
    from advrepl.prompt.formats import CHAT, FORMATS

    return words((*FORMATS, CHAT))(incomplete)


def languages(incomplete: str) -> Iterator[Completion]:
    """Yield the languages that a story can be told in."""
    from advrepl.prompt.languages import LANGUAGES

    return ((each.code, each.name) for each in LANGUAGES.values() if each.code.startswith(incomplete))


def settings(incomplete: str) -> Iterator[Completion]:
    """Yield the options of play that `advrepl config` keeps."""
    from advrepl.cli import config

    return ((name, config.about(name)) for name in config.names() if name.startswith(incomplete))


def values(ctx: typer.Context, incomplete: str) -> Iterator[Completion]:
    """Yield what the option that was named to `advrepl config` can be."""
    from advrepl.cli import config

    return iter(config.values(str(ctx.params.get("name")), incomplete))
