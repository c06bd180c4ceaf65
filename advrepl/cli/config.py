"""`advrepl config`: the player's own defaults for the options of play and resume, in config.toml of ADVREPL_HOME.

They stand before what the command line says, as if they were typed, so that each is read and refused as there.
Does not know the options; play.py declares them.
"""

import json
import os
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer

from advrepl import AdvreplError, atomic, paths, program, regular
from advrepl.cli import completion
from advrepl.cli.flags import say
from advrepl.cli.play import PLAY_FLAGS
from advrepl.hints import did_you_mean

SWITCHES = {"on": True, "true": True, "yes": True, "off": False, "false": False, "no": False}
LARGEST, LONGEST_LINE = 1 << 16, 1 << 13  # bytes; characters, as the time that a name of many parts takes is squared
SECTION = re.compile(r"^\s*\[")
ENVIRONMENT = {"saves": "ADVREPL_SAVES", "model": "ADVREPL_MODEL"}  # what goes before the file


def config(
    name: Annotated[
        str | None,
        typer.Argument(help="An option of play, as in theme.", show_default=False, autocompletion=completion.settings),
    ] = None,
    value: Annotated[
        str | None,
        typer.Argument(help="Its value from now on.", show_default=False, autocompletion=completion.values),
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Have the program's own default again.")] = False,
) -> None:
    """Show or change your own defaults for the options of play and resume."""
    path = paths.config_file()
    if name is None:
        said = read(path)
        how = program.command("config", "NAME", "VALUE")
        say(f"# {path}" if said else f"# {path}: nothing is set; `{how}` sets an option of play")
        for each in said:
            say(f"{each} = {_toml(said[each])}")
        arguments(path)
        return
    key = _known(name)
    if value is not None or unset:
        new = None if unset else _checked(key, _typed(key, str(value)))
        _write(path, key, new)
    said = read(path)
    say(f"{key} = {_toml(said[key])}" if key in said else f"{key} is not set: {about(key)}")


def read(path: Path) -> dict[str, Any]:
    """Return what stands in the file, nothing if there is none; raises AdvreplError."""
    try:
        text = regular.read(path, LARGEST).decode()
        if max(map(len, text.split("\n"))) > LONGEST_LINE:
            raise ValueError(f"it has a line of more than {LONGEST_LINE:,} characters")
        return tomllib.loads(text)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise AdvreplError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise AdvreplError(f"{path} is no TOML ({error}): mend that line, or remove the file") from error


def arguments(path: Path) -> list[str]:
    """Return what the file says as arguments of play and resume; raises AdvreplError for an unknown option."""
    found: list[str] = []
    for name, value in read(path).items():
        try:
            key = _known(name)
            _checked(key, value)
        except AdvreplError as error:
            raise AdvreplError(f"{path}: {error}") from error
        if not os.environ.get(ENVIRONMENT.get(key, "")):
            found += _arguments(key, value)
    return found


def names() -> list[str]:
    """Return the options of play, by their names without dashes."""
    return list(_flags())


def values(name: str, incomplete: str) -> list[Any]:
    """Return what an option of play can be, as its flag completes it; nothing where that is free or unknown."""
    if name not in _flags():
        return []
    complete = completion.words(("on", "off")) if _is_switch(name) else _flags()[name][2].autocompletion
    return list(complete(incomplete)) if complete else []


def _arguments(key: str, value: Any) -> Iterator[str]:
    flag, _, off = _spelling(key).partition("/")
    for each in value if isinstance(value, list) else [value]:
        if each is False:
            yield from [off] if off else []
        else:
            yield flag if each is True else f"{flag}={each}"


def _flags() -> dict[str, tuple[str, Any, Any]]:
    """The flags of play by their names without dashes: how they are spelled, their type, what typer knows."""
    found = {}
    for annotated in PLAY_FLAGS.values():
        kind, info = get_args(annotated)
        spelled = max((each for each in (info.default, *(info.param_decls or ())) if isinstance(each, str)), key=len)
        found[spelled.partition("/")[0].lstrip("-")] = spelled, kind, info
    return found


def _spelling(key: str) -> str:
    return _flags()[key][0]


def _kind(key: str) -> Any:
    return _flags()[key][1]


def about(key: str) -> str:
    """Return the line of help of an option of play."""
    return " ".join((_flags()[key][2].help or "").split())


def _known(name: str) -> str:
    key, known = name.lstrip("-").replace("_", "-"), _flags()
    if key not in known:
        listed = f"`{program.command('play', '-h')}` lists those there are"
        hint = did_you_mean(key, {each: each for each in known}) or listed
        raise AdvreplError(f"there is no option {name}: {hint}")
    return key


def _checked(key: str, value: Any) -> Any:
    """Return the value as it is; raises AdvreplError with what play would say to it."""
    if _is_switch(key) != isinstance(value, bool):
        raise AdvreplError(f"{key} {'is on or off' if _is_switch(key) else 'takes a value'}, not {_toml(value)[:40]}")
    for each in value if isinstance(value, list) else [value]:
        if read := _flags()[key][2].parser:
            read(str(each))
    return value


def _is_switch(key: str) -> bool:
    return _kind(key) is bool or bool in get_args(_kind(key))


def _typed(key: str, text: str) -> Any:
    """A value as TOML has it: switches as such, numbers where they are ones, lists where a flag may come again."""
    if _is_switch(key):
        if text.casefold() not in SWITCHES:
            raise AdvreplError(f"{key} is on or off, not {text[:40]!r}")
        return SWITCHES[text.casefold()]
    if get_origin(_kind(key)) is list:
        return [text]
    if re.fullmatch(r"-?(0|[1-9]\d{0,15})", text):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,15}\.\d+", text) else text


def _write(path: Path, key: str, value: Any) -> None:
    """Put one line into the file, before its first section; all else stays as it is."""
    before = path.read_text("utf-8").splitlines() if path.exists() else []
    spelled = rf"{re.escape(key)}|{re.escape(key.replace('-', '_'))}"
    kept = [line for line in before if not re.match(rf"\s*[\"']?({spelled})[\"']?\s*=", line)]
    if value is not None:
        at = next((at for at, line in enumerate(kept) if SECTION.match(line)), len(kept))
        kept.insert(at, f"{key} = {_toml(value)}")
    try:
        atomic.make_folder(path.parent)
        atomic.write(path, "".join(f"{line}\n" for line in kept).encode(), private=True)
    except OSError as error:
        raise AdvreplError(f"{path} cannot be written: {error.strerror}") from error


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
