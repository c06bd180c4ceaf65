"""What others wrote reaches a terminal through the cleaner alone, whatever prints it: seen in the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ROOT

ROOMS = ("cli", "terminal")
# What makes text inert, or holds none but our own: numbers, ASCII.
CLEAN = {"visible", "one_line", "dumps", "clip", "len", "get_help"}
# The ways out, which clean what they are given or write what only the program makes: file and function.
WAYS = {
    ("cli/console.py", "render"),
    ("terminal/editor.py", "read"),  # the prompt, which is ours
    ("terminal/early.py", "pastes_marked"),
    ("terminal/picker.py", "_picked_by_number"),  # a number
    ("terminal/progress.py", "load_progress"),  # a share
    ("terminal/progress.py", "show"),
    ("terminal/screen.py", "ring"),
    ("terminal/screen.py", "_copy"),  # OSC 52, in base64
    ("terminal/screen.py", "_write"),  # tests/terminal/test_screen.py feeds all that calls it
    ("terminal/screen.py", "_draw_over"),
}
PRINTS = {"print", "echo", "secho", "confirm", "prompt", "input", "getpass", "print_formatted_text", "write"}
RICH, BY_CONSOLE = {"Console", "get_console"}, {"track", "Progress"}  # cli/console.py's is used instead


def is_clean(text: ast.expr) -> bool:
    """Is it a literal, or was it made visible?"""
    match text:
        case ast.Constant():
            return True
        case ast.Call(func=ast.Name(id="wrap"), args=[inner, *_]):  # adds line breaks alone
            return is_clean(inner)
        case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)):
            return name in CLEAN
        case ast.BinOp(left=left, right=right):
            return is_clean(left) and is_clean(right)
        case ast.JoinedStr(values=values):
            return all(is_clean(part.value if isinstance(part, ast.FormattedValue) else part) for part in values)
        case ast.Name(id=name):
            return name.isupper() or name == "__version__"  # a constant of the program
        case _:
            return False


def prints(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    """Yield what prints, each with the function that it stands in."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Call):
                    yield function.name, node


def raw(name: str, tree: ast.Module) -> Iterator[str]:
    """Yield the places that print what may be foreign as it is."""
    for function, call in prints(tree):
        match call.func:
            case ast.Name(id=called) if called != "write":
                pass
            case (
                ast.Attribute(attr=called, value=ast.Name(id="atomic" | "presets"))
                | ast.Attribute(attr="print" as called)
            ):
                continue  # files, and consoles, which can only be ours
            case ast.Attribute(attr=called):
                pass
            case _:
                continue
        if called in RICH or (called in BY_CONSOLE and not any(given.arg == "console" for given in call.keywords)):
            yield f"{name}:{call.lineno}: rich's own console"
        if called in PRINTS and (name, function) not in WAYS and not all(map(is_clean, call.args)):
            yield f"{name}:{call.lineno}: {ast.unparse(call)}"


def sources() -> list[Path]:
    return [path for room in ROOMS for path in sorted((ROOT / "advrepl" / room).rglob("*.py"))]


def test_what_prints_is_clean_or_ours() -> None:
    found = [
        each
        for path in sources()
        for each in raw(path.relative_to(ROOT / "advrepl").as_posix(), ast.parse(path.read_text("utf-8")))
    ]
    assert found == []


@pytest.mark.parametrize(
    "line",
    [
        "print(name)",
        "typer.echo(f'{name}: there')",
        "sys.stdout.write('a' + name)",
        "Console().print(1)",
        "track(files, 'files')",
        "typer.confirm(question)",
        "self._out.write(text)",
    ],
)
def test_it_is_seen(line: str) -> None:
    assert list(raw("cli/new.py", ast.parse(f"def show(name):\n    {line}\n")))


@pytest.mark.parametrize("line", ["print(visible(name))", "print('a')", "out.write(json.dumps(name) + '\\n')"])
def test_what_is_clean_passes(line: str) -> None:
    assert not list(raw("cli/new.py", ast.parse(f"def show(name):\n    {line}\n")))
