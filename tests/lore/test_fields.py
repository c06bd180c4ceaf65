"""Fields of foreign JSON: what is odd is named, and keys are parted where their writers part them."""

import pytest

from advrepl.lore.fields import HIGHEST, MAX_KEY, MAX_KEYS, Fields, split_keys


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("elf, old elf", ["elf", "old elf"]),
        ("/elf, orc/", ["/elf, orc/"]),
        ("dwarf, /elf{1,2}/i , /[/,]x/,orc", ["dwarf", "/elf{1,2}/i", "/[/,]x/", "orc"]),
        (r"/a\/b,c/", [r"/a\/b,c/"]),
        ("/usr/local, /opt", ["/usr/local", "/opt"]),
        ("/,/", ["/,/"]),
        (",,", []),
    ],
)
def test_keys_are_parted_at_commas(text: str, keys: list[str]) -> None:
    assert [key.strip() for key in split_keys(text) if key.strip()] == keys
    assert Fields({"keys": text}, "", []).words("keys") == tuple(keys)


def test_values_are_read_as_other_programs_write_them() -> None:
    notes: list[str] = []
    fields = Fields({"a": None, "b": "7", "c": -3, "d": "true", "e": 1e300, "f": [], "g": float("nan")}, "x.", notes)
    assert (fields.first("a", "b"), fields.first("a")) == (("b", "7"), ("a", None))
    assert (fields.number("b", default=1), fields.number("a", default=1), fields.count("c")) == (7, 1, 0)
    assert (fields.flag("d"), fields.flag("a", default=True)) == (True, True)
    assert fields.optional("e") == HIGHEST and fields.number("b", default=1, high=5) == 5
    assert notes == []
    assert (fields.text("f"), fields.optional("g"), fields.flag("f"), fields.inner("b").value) == ("", None, False, {})
    assert notes == [
        "x.f is no text: ignored",
        "x.g is no number: ignored",
        "x.f is neither true nor false: ignored",
        "x.b is no object: ignored",
    ]


def test_keys_have_limits() -> None:
    notes: list[str] = []
    fields = Fields({"many": ["k"] * (MAX_KEYS + 1), "long": ["k" * (MAX_KEY + 1), "k"]}, "", notes)
    assert (len(fields.words("many")), fields.words("long")) == (MAX_KEYS, ("k",))
    assert notes == [
        "many holds 501 keys: only the first 500 count",
        "long holds a key of more than 1,000 characters: ignored",
    ]
