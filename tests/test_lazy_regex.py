"""A pattern that is compiled lazily does what the compiled one does."""

import pytest
import regex

from advrepl.lazy_regex import lazy


def test_it_is_compiled_once_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    made, compile_now = list[str](), regex.compile

    def counted(text: str, flags: int = 0) -> "regex.Pattern[str]":
        made.append(text)
        return compile_now(text, flags)

    monkeypatch.setattr(regex, "compile", counted)
    found = lazy(r"\p{L}+(\d)", regex.IGNORECASE)
    assert made == []
    assert found.sub(r"\1", "ж1 b2") == "1 2" and found.fullmatch("ж1") and not found.match("1ж")
    assert found.search("ж", partial=True) and [each[0] for each in found.finditer("a1b2")] == ["a1", "b2"]
    assert found.findall("a1 b2") == ["1", "2"] and found.split("a1") == ["", "1", ""]
    assert made == [found.pattern] == [r"\p{L}+(\d)"]


def test_a_wrong_one_is_an_error_at_its_first_use() -> None:
    found = lazy("(")
    with pytest.raises(regex.error):
        found.search("x")
