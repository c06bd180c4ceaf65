"""Lorebooks of other programs: each shape read as what it means, oddities named, nothing too much."""

import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.cards.character import shipped
from advrepl.cards.read import load_card
from advrepl.lore.books import combine, load_book, parse_book
from advrepl.lore.entries import Book, Entry
from tests.card_files import END, HEAD, PIXELS, text

CARD_ENTRY = {
    "keys": ["elf", "Elves"],
    "content": "Elves sing.",
    "extensions": {},
    "enabled": True,
    "insertion_order": 7,
}


ASKED = "entries that ask for a place of their own"
TOLD = "lore here is told before the turn at which it fires, and again when it is as many turns old as it is deep"


def only(data: object) -> Entry:
    book, notes = parse_book(data, "book.json")
    assert notes == []
    assert len(book.entries) == 1
    return book.entries[0]


def test_a_card_book() -> None:
    data = {
        "name": "World",
        "scan_depth": 5,
        "token_budget": 300,
        "recursive_scanning": True,
        "entries": [
            CARD_ENTRY,
            {**CARD_ENTRY, "selective": True, "secondary_keys": ["song"], "priority": 3, "position": "before_char",
             "case_sensitive": True, "constant": True, "name": "n", "use_regex": True, "enabled": False},
        ],
    }  # fmt: skip
    book, notes = parse_book(data, "book.json")
    assert notes == []
    assert book == Book(
        scan_depth=5,
        token_budget=300,
        recursive=True,
        entries=(
            Entry("0", "Elves sing.", keys=("elf", "Elves"), order=7),
            Entry("1", "Elves sing.", keys=("elf", "Elves"), order=7, secondary_keys=("song",), priority=3,
                  position="before", case_sensitive=True, constant=True, use_regex=True, enabled=False),
        ),
    )  # fmt: skip


def test_secondary_keys_count_only_where_the_entry_is_selective() -> None:
    assert only([{**CARD_ENTRY, "secondary_keys": ["x"]}]).secondary_keys == ()
    assert only({"entries": {"0": {"key": ["a"], "keysecondary": ["x"], "content": "c"}}}).secondary_keys == ("x",)


def test_a_world_file() -> None:
    entry = {
        "uid": 4, "key": ["gate"], "keysecondary": ["iron", "rust"], "comment": "Gate", "content": "Shut.",
        "selective": True, "selectiveLogic": 3, "order": 50, "position": 4, "depth": 2, "role": 2, "disable": False,
        "excludeRecursion": True, "preventRecursion": True, "delayUntilRecursion": 2, "probability": 40,
        "useProbability": True, "group": "doors, walls", "groupWeight": 10, "groupOverride": True, "scanDepth": 9,
        "caseSensitive": True, "matchWholeWords": True, "sticky": 3, "cooldown": 4, "delay": 5,
    }  # fmt: skip
    book, notes = parse_book({"entries": {"4": entry}}, "world.json")
    assert notes == [f"{ASKED} (1 at a depth): {TOLD}"]
    assert book.recursive
    assert book.entries == (
        Entry("4", "Shut.", keys=("gate",), secondary_keys=("iron", "rust"), selective_logic="all",
              case_sensitive=True, match_whole_words=True, order=50, position="depth", depth=2, probability=40,
              groups=("doors", "walls"), group_weight=10, group_override=True, sticky=3, cooldown=4, delay=5,
              scan_depth=9, exclude_recursion=True, prevent_recursion=True, delay_until_recursion=2, role="assistant"),
    )  # fmt: skip


def test_what_sillytavern_writes_into_a_card_is_read_from_the_extensions() -> None:
    extensions = {
        "position": 4, "depth": 1, "role": 1, "exclude_recursion": True, "probability": 30, "useProbability": False,
        "selectiveLogic": 2, "group": "g", "match_whole_words": True, "sticky": 2, "scan_depth": 6,
    }  # fmt: skip
    book, _ = parse_book([{**CARD_ENTRY, "position": "after_char", "use_regex": True, "extensions": extensions}], "a")
    assert book.entries[0] == Entry(
        "0", "Elves sing.", keys=("elf", "Elves"), order=7, position="depth", depth=1, exclude_recursion=True,
        selective_logic="not any", groups=("g",), match_whole_words=True, sticky=2, scan_depth=6,
        role="user",
    )  # fmt: skip


def test_places_that_lore_has_not_here_are_told_in_one_line_with_their_numbers() -> None:
    def entry(position: int, **more: object) -> dict[str, object]:
        return {"key": ["x"], "content": "c", "position": position, **more}

    places = [*range(7), 4, 4]
    entries = {str(number): entry(place) for number, place in enumerate(places)}
    book, notes = parse_book({"entries": entries}, "world.json")
    assert notes == [f"{ASKED} (3 at a depth, 2 at the author's note, 2 at the examples): {TOLD}"]
    assert [one.position for one in book.entries] == [
        *("before", "after", "depth", "depth", "depth", "after", "after", "depth", "depth"),
    ]


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        ({"position": 4, "role": 1}, "1 at a depth"),
        ({"position": 4, "role": 0}, "1 at a depth"),
        ({"position": 1, "role": 2}, ""),  # a role belongs to a place at a depth
        ({"position": 4, "disable": True}, ""),
        ({"content": "@@depth 3\n@@role user\nc"}, "1 at a depth"),
        ({"content": "@@position before_desc\nc", "position": 4}, ""),
    ],
)
def test_what_an_entry_asks_for_in_vain(entry: dict[str, object], asked: str) -> None:
    _, notes = parse_book([{"keys": ["x"], "content": "c", **entry}], "b")
    never = [note for note in notes if note.startswith("none of its")]
    assert [note for note in notes if note not in never] == ([f"{ASKED} ({asked}): {TOLD}"] if asked else [])
    assert bool(never) == bool(entry.get("disable"))


@pytest.mark.parametrize(
    "data",
    [
        {"worldinfo": [{"key": "orc,  goblin", "keysecondary": "cave", "keyanti": "sun", "content": "c",
                        "selective": True, "probability": "100", "widisabled": False}]},
        {"file_version": 2, "worldinfo_v2": {"entries": {"0": {"key": ["orc", "goblin"], "keysecondary": ["cave"],
                                             "keyanti": ["sun"], "content": "c", "selective": True}}}},
    ],
)  # fmt: skip
def test_kobold_world_info(data: object) -> None:
    assert only(data) == Entry("0", "c", keys=("orc", "goblin"), secondary_keys=("cave",), exclude_keys=("sun",))


@pytest.mark.parametrize(
    "data",
    [
        [{"keys": "orc, goblin", "value": "c", "type": "race", "title": "Orcs"}],
        {"worldInfo": [{"keys": "orc,goblin", "entry": "c", "title": "Orcs"}]},
    ],
)
def test_story_cards(data: object) -> None:
    assert only(data) == Entry("0", "c", keys=("orc", "goblin"))


def test_a_standalone_lorebook_and_a_card() -> None:
    for data in ({"spec": "lorebook_v3", "data": {"entries": [CARD_ENTRY]}},
                 {"spec": "chara_card_v2", "data": {"character_book": {"entries": [CARD_ENTRY]}}}):  # fmt: skip
        assert only(data) == Entry("0", "Elves sing.", keys=("elf", "Elves"), order=7)


def test_oddities_are_named() -> None:
    entry = {
        **CARD_ENTRY,
        "keys": "elf",
        "constant": "maybe",
        "priority": [],
        "insertion_order": "3",
        "case_sensitive": None,
    }
    data = {"entries": {"a": entry, "b": 7, "c": {"keys": [1, "k" * 1001, "/(/"], "content": 5, "extensions": 1}}}
    book, notes = parse_book(data, "book.json")
    assert (book.entries[0].keys, book.entries[0].order) == (("elf",), 3)
    assert notes == [
        "entries is an object, not a list: read in its order",
        "entries[a].constant is neither true nor false: ignored",
        "entries[a].priority is no number: ignored",
        "entries[b] is no object: ignored",
        "entries[c].content is no text: ignored",
        "entries[c].extensions is no object: ignored",
        "entries[c].keys holds keys that are no text: ignored",
        "entries[c].keys holds a key of more than 1,000 characters: ignored",
        "entries[c].keys holds '/(/', which is no pattern that can be used: looked for as it is",
    ]


def test_empty_books() -> None:
    assert parse_book(None, "b") == (Book(), ["the book is null: taken as empty"])
    assert parse_book({"entries": None}, "b") == (Book(), ["entries is null: taken as empty"])
    assert parse_book([], "b") == (Book(), [])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("text", "b is no lorebook"),
        ({"name": "x"}, "b is no lorebook"),
        ([{}] * 10_001, "10,001 entries, the limit is 10,000"),
        ([{"content": "x" * 100_001}], r"entries\[0\].content has 100,001 characters, the limit is 100,000"),
        ([{"keys": ["k"] * 500}] * 101, "50,500 keys, the limit is 50,000"),
        ([{"content": "x" * 100_000}] * 101, "more than 10,000,000 characters"),
    ],
)
def test_what_is_too_much_or_no_book_is_refused(data: object, message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        parse_book(data, "b")


def test_many_notes_are_cut() -> None:
    _, notes = parse_book([1] * 30, "b")
    assert (len(notes), notes[-1]) == (21, "and 10 more like these")


def test_combined_books_keep_their_own_rules() -> None:
    first = Book((Entry("0", "a"), Entry("1", "b", scan_depth=1)), scan_depth=7, token_budget=10, recursive=True)
    second = Book((Entry("0", "c"),), token_budget=5)
    assert combine([first, second]) == Book(
        (
            Entry("0.0", "a", scan_depth=7),
            Entry("0.1", "b", scan_depth=1),
            Entry("1.0", "c", exclude_recursion=True),
        ),
        token_budget=15,
        recursive=True,
    )


NAMES = ["entries", "data", "character_book", "worldinfo", "worldinfo_v2", "keys", "key", "secondary_keys", "content"]
NAMES += ["keyanti", "value", "entry", "extensions", "position", "probability", "useProbability", "group", "order"]
NAMES += ["groupWeight", "group_weight", "scan_depth", "token_budget", "delayUntilRecursion", "sticky", "use_regex"]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["@@depth 3\nx", "@@@activate\n", "/a(/i", "/a+/gim", "a,b", "\ud800", 10**400, "1e999"]),
)  # fmt: skip
VALUES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=8)
    ),
    max_leaves=40,
)


@given(VALUES | st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES)).map(lambda entries: {"entries": entries}))
@example([{"keys": [], "content": "@@" * 50_000}])
@example({"entries": [{"content": "\ud800"}]})
def test_any_json_is_a_book_or_refused(data: object) -> None:
    try:
        book, notes = parse_book(data, "b")
    except AdvreplError:
        return
    json.dumps([entry.content for entry in book.entries], ensure_ascii=False).encode()
    assert all(isinstance(note, str) and len(note) < 400 for note in notes)


def test_a_book_is_loaded_from_a_world_file_or_a_card(tmp_path: Path) -> None:
    world = tmp_path / "world.json"
    world.write_text('\ufeff{"entries": {"0": {"uid": 0, "key": ["inn"], "content": "It is shut."}}}')
    assert load_book(world)[0].entries[0].content == "It is shut."
    assert len(load_book(shipped()["brindle"])[0].entries) == 6
    png = tmp_path / "card.png"
    png.write_bytes(HEAD + text({"name": "Ada", "character_book": {"entries": [CARD_ENTRY]}}) + PIXELS + END)
    assert load_book(png)[0].entries[0].content == "Elves sing."


@pytest.mark.parametrize(
    ("content", "note"),
    [
        (b'{"entries": {"0": {"key": ["inn"], "content": "It is\nshut."}}}', "book.json: the JSON is not quite valid"),
        ('{"entries": {"0": {"key": ["inn"], "content": "It is\\nshut."}}}'.encode("utf-16"), "book.json: the text is"),
        (b'entries:\n- keys: [inn]\n  content: "It is\\nshut."\n', None),
    ],
)
def test_a_book_is_read_as_people_write_it(tmp_path: Path, content: bytes, note: str | None) -> None:
    path = tmp_path / "book.json"
    path.write_bytes(content)
    book, notes = load_book(path)
    assert (book.entries[0].keys, book.entries[0].content) == (("inn",), "It is\nshut.")
    assert len(notes) == (note is not None) and all(one.startswith(note or "") for one in notes)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"\x89PNG\r\n\x1a\n", "bad.json"),
        (HEAD + text({"name": "Ada"}) + PIXELS + END, "bad.json is a character card without a lorebook"),
        (b"\xff\xd8\xff\xe0 JFIF", "a JPEG picture"),
        (b"[[[[", "bad.json"),
        (b"[" * 100_000, "bad.json"),
        (b'{"entries": []}', "has no entries"),
        (b'{"name": 3}', "has no list of entries"),
        (b"{}", "has no list of entries"),
    ],
)
def test_a_file_that_is_no_book_is_one_sentence(tmp_path: Path, content: bytes, error: str) -> None:
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    with pytest.raises(AdvreplError, match=error) as caught:
        load_book(path)
    assert "\n" not in str(caught.value)


def test_a_book_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdvreplError, match="there is no file"):
        load_book(tmp_path / "none.json")


@given(
    st.binary(max_size=200)
    | st.from_regex(r'\{"(entries|worldinfo|data|keys)":.{0,80}', fullmatch=True).map(str.encode)
)
def test_any_file_is_a_book_or_one_sentence(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "book.json"
        path.write_bytes(data)
        try:
            book, _ = load_book(path)
        except AdvreplError as error:
            assert "\n" not in str(error)
        else:
            assert book.entries


def test_books_of_other_makers(tmp_path: Path) -> None:
    """As SillyTavern puts them when it imports them, with what it leaves out."""
    agnai = {
        "kind": "memory",
        "entries": [
            {"name": "Owl", "entry": "Pip.", "keywords": ["owl", "mill"], "priority": 1, "weight": 2, "enabled": True}
        ],
    }
    found, notes = parse_book(agnai, "b")
    assert notes == [] and found == Book(
        (Entry("0", "Pip.", keys=("owl", "mill"), order=2, priority=1, match_whole_words=True, position="before"),),
        recursive=True,
    )
    novelai = {
        "lorebookVersion": 5,
        "entries": [
            {"text": "Pip.", "keys": ["owl", "/mill(er)?/i"], "enabled": True, "contextConfig": {"budgetPriority": 4}},
            {"text": "Rain.", "keys": [], "enabled": True, "forceActivation": True},
            {"text": "Off.", "keys": ["x"], "enabled": False},
        ],
    }
    picture = tmp_path / "b.png"
    picture.write_bytes(HEAD + text(novelai, b"naidata") + PIXELS + END)
    assert load_book(picture)[0] == parse_book(novelai, "b")[0]
    with pytest.raises(AdvreplError, match="is a lorebook, not a character"):
        load_card(picture)
    assert parse_book(novelai, "b")[0].entries == (
        Entry("0", "Pip.", keys=("owl", "/mill(er)?/i"), order=4, match_whole_words=True, position="before"),
        Entry("1", "Rain.", constant=True, order=0, match_whole_words=True, position="before"),
        Entry("2", "Off.", keys=("x",), enabled=False, order=0, match_whole_words=True, position="before"),
    )
    risu = {
        "type": "risu",
        "data": [
            {"key": "owl, mill", "secondkey": "moon,star", "selective": True, "insertorder": 5, "content": "Pip."},
            {"key": "", "insertorder": 6, "content": "Rain.", "alwaysActive": True, "mode": "constant"},
            {"key": "/a{1,2}b/", "useRegex": True, "insertorder": 7, "content": "R.", "activationPercent": 30},
            {"key": "", "content": "", "mode": "folder"},
        ],
    }
    module = {"type": "risuModule", "module": {"name": "m", "regex": [{}], "lorebook": risu["data"]}}
    assert parse_book(module, "b") == parse_book(risu, "b")
    assert parse_book(risu, "b")[0].entries == (
        Entry(
            "0",
            "Pip.",
            keys=("owl", "mill"),
            secondary_keys=("moon", "star"),
            order=5,
            match_whole_words=True,
            position="before",
        ),
        Entry("1", "Rain.", constant=True, order=6, match_whole_words=True, position="before"),
        Entry("2", "R.", keys=("/a{1,2}b/",), probability=30, order=7, match_whole_words=True, position="before"),
    )


def test_what_is_never_told_is_said() -> None:
    unknown = {"entries": [{"words": ["owl"], "content": "Pip."}, {"words": ["inn"], "content": "Shut."}]}
    assert parse_book(unknown, "b")[1] == [
        "none of its 2 entries can ever apply: they have no keys, no text, or are switched off"
    ]
    swipes = {"entries": {"0": {"key": ["owl"], "content": "Pip.", "triggers": ["swipe", "continue"]}}}
    assert parse_book(swipes, "b")[1] == [
        "entries that are for continuations, swipes and the like alone (1): never told, as lore here is chosen for the "
        "player's turn"
    ]


def test_a_book_that_sillytavern_wrote_follows_its_settings() -> None:
    """Whole words and recursion are on there, where a book says nothing."""
    entry = {"keys": ["owl"], "content": "Pip."}
    marked = {**entry, "extensions": {"useProbability": True, "exclude_recursion": False}}
    for data, follows in (
        ({"entries": {"0": {"key": ["owl"], "content": "Pip.", "matchWholeWords": None}}}, True),
        ({"entries": [marked]}, True),
        ({"entries": [entry]}, False),
    ):
        book, _ = parse_book(data, "b")
        assert (book.entries[0].match_whole_words, book.recursive) == (follows, follows)
    assert not parse_book({"entries": [marked], "recursive_scanning": False}, "b")[0].recursive
