"""Macros beside SillyTavern's own engine."""

from typing import Any

from tests.sillytavern.node import ask

SETTINGS = {
    "model": "tiny", "maxPrompt": 3000, "maxContext": 4096, "maxResponse": 300, "firstIncluded": 2, "input": "typed",
    "original": "Be Bob.", "outlets": {}, "system": "Be Bob.",
}  # fmt: skip


def sillytavern(*texts: str) -> Any:
    """Return what SillyTavern's engine makes of each text, with the variables that are left."""
    names = {"user": "Ann", "char": "Bob"}
    now = "2026-11-21T16:05:09Z"
    return ask(
        "macros.mjs",
        {"texts": texts, "names": names, "card": {}, "chat": [], "settings": SETTINGS, "now": now},
    )


def test_the_engine_answers() -> None:
    found = sillytavern("{{user}} and {{char}}", "{{.x = 5}}{{.x++}}")
    assert found["version"] == "1.19.0"
    assert [each["result"] for each in found["results"]] == ["Ann and Bob", "6"]
