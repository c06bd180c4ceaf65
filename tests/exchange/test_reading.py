"""Chats of other programs are found by looking, and read whole."""

import io
import json
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.exchange import epub, kobold, pages, sillytavern
from advrepl.exchange.reading import parse
from advrepl.story import saves
from advrepl.story.injections import NOTE
from advrepl.story.scenario import START, Injection
from advrepl.story.tree import Story, Turn
from tests import exchange_chats as chats
from tests.story.test_editing import grown, save_of


def told(save: saves.Save) -> list[tuple[str, str]]:
    return [(turn.role, turn.text) for turn in Story(save.turns, save.head).path_turns()]


@pytest.mark.parametrize("name", chats.EVERY_TEXT)
def test_every_form_is_known(name: str) -> None:
    (chat,) = parse(chats.EVERY_TEXT[name].encode(), name)
    assert told(chat.save("x")) == [("model", "Come in!"), ("user", "I do."), ("model", "Sit.")]


@pytest.mark.parametrize("name", ["kobold", "kobold 2", "aidcat", "aid", "risu"])
def test_notes_memory_and_lore_come_along(name: str) -> None:
    (chat,) = parse(chats.EVERY_TEXT[name].encode(), name)
    save = chat.save("x")
    assert save.scenario.injections[NOTE].text == "It rains."
    assert save.scenario.memory == ("Mira is kind." if name in ("kobold", "aidcat", "aid") else "")
    assert [entry.content for book in save.books for entry in book.entries] == (
        [] if name == "risu" else ["The door is red."]
    )


def test_swipes_are_takes_and_what_is_left_out_is_said() -> None:
    (chat,) = parse(chats.SILLYTAVERN.encode(), "evening.jsonl")
    save = chat.save("evening")
    assert [turn.text for turn in save.turns] == ["Go away.", "Come in!", "I do.", "Sit."]
    assert [turn.parent for turn in save.turns] == [None, None, 1, 2]
    assert save.turns[3].thoughts == "He is tired."
    assert (save.scenario.you, save.scenario.narrator, save.scenario.roleplay) == ("Tom", "Mira", True)
    assert save.scenario.injections == {NOTE: Injection("It rains.", 3)}
    assert chat.remarks == ["1 broken line left out", "1 hidden message left out"]


def test_what_marinara_shows_is_the_take_that_is_read() -> None:
    """Its swipes' numbers have gaps where one was deleted: what is shown is `mes`, and no other take is lost."""
    (chat,) = parse(chats.MARINARA.encode(), "x")
    story = chat.save("x")
    assert [turn.text for turn in story.turns] == ["Come in!", "I do.", "Stand.", "Sit.", "Lie."]
    assert (story.turns[story.head or 0].text, story.turns[3].thoughts) == ("Sit.", "He is tired.")
    assert (chat.you, chat.narrator, chat.remarks) == ("Tom", "Mira", ["1 hidden message left out"])


def test_thoughts_and_pictures_of_risuai_are_no_words() -> None:
    said = "<Thoughts>\nHm.\n</Thoughts>\n\nSit. {{inlay::3f}}"
    data = {
        "type": "risuChat",
        "data": {"message": [{"role": "user", "data": "I do."}, {"role": "char", "data": said}]},
    }
    (chat,) = parse(json.dumps(data).encode(), "x")
    assert told(chat.save("x")) == [("user", "I do."), ("model", "Sit.")] and chat.story.turns[1].thoughts == "Hm."


def test_whoever_stands_over_a_turn_says_it() -> None:
    (chat,) = parse(chats.RISU_TEXT.encode(), "x")
    assert (chat.you, chat.narrator) == ("Tom", "Mira")
    ann = "\n\n[Ann] (9/1/2026, 9:04:00 AM)\n"
    (chat,) = parse(f"{chats.MARINARA_TEXT}\n\n[a door]\nIt opens.{ann}Stand!{ann}Now!".encode(), "x")
    assert [text for _, text in told(chat.save("x"))[2:]] == ["Sit.\n\n[a door]\nIt opens.", "Ann: Stand!", "Ann: Now!"]
    assert chat.title == "An evening"


@pytest.mark.parametrize("name", ["webui", "agnai", "cai", "llama.cpp tree"])
def test_other_takes_come_along(name: str) -> None:
    (chat,) = parse(chats.EVERY_TEXT[name].encode(), name)
    save = chat.save("x")
    story = Story(save.turns, save.head)
    assert sorted(save.turns[take].text for take in story.siblings(story.path[-1])) == ["Sit.", "Stand."]


def test_takes_of_llama_cpp_keep_their_futures() -> None:
    (chat,) = parse(json.dumps(chats.LLAMA_CPP_TREE).encode(), "x")
    story = chat.story
    (other,) = (each for each in story.siblings(story.path[1]) if each != story.path[1])
    assert [story.turns[each].text for each in (other, story.children(other)[0])] == ["No.", "Then go."]
    assert story.turns[story.path[-1]].thoughts == "He is tired." and chat.title == "An evening"
    lines = [{"type": "session", **chats.LLAMA_CPP_TREE["conv"]}] + [
        {"type": "message", "message": message} for message in chats.LLAMA_CPP_TREE["messages"]
    ]
    (again,) = parse("\n".join(map(json.dumps, lines)).encode(), "x")
    assert (again.story.turns, again.story.head, again.title) == (story.turns, story.head, chat.title)


def test_messages_of_llama_cpp_that_hang_on_none_are_told() -> None:
    """Duplicated ids, a ring, a parent that is not there: what can be reached is taken, nothing hangs."""
    messages = [
        {"id": "1", "role": "user", "content": "a", "parent": "gone"},
        {"id": "1", "role": "user", "content": "twice", "parent": None},
        {"id": "2", "role": "assistant", "content": "b", "parent": "3"},
        {"id": "3", "role": "assistant", "content": "c", "parent": "2"},
    ]
    (chat,) = parse(json.dumps({"conv": {"currNode": "3"}, "messages": messages}).encode(), "x")
    assert told(chat.save("x")) == [("user", "a")]
    assert chat.remarks == ["messages that follow none: 2 left out"]


def test_names_of_a_chat_with_several_stand_before_what_they_say() -> None:
    for settings in ({"chatopponent": "Mira||$||Ann"}, {"chatopponent": ""}):
        data = chats.KOBOLD_CHAT | {
            "actions": ["\nTom: I do.\nMira: Sit.\nAnn: Stand!"],
            "savedsettings": {"opmode": 3, "chatname": "Tom", **settings},
        }
        (chat,) = parse(json.dumps(data).encode(), "x")
        assert told(chat.save("x"))[1:] == [("user", "I do."), ("model", "Sit."), ("model", "Ann: Stand!")]


@pytest.mark.parametrize(("key", "last", "remarks"), [("name", "Ann: Sit.", 0), ("saying", "Sit.", 1)])
def test_of_a_group_of_risuai_each_name_is_told_or_that_there_are_none(key: str, last: str, remarks: int) -> None:
    lines = [{"role": "char", "data": said, key: name} for name, said in (("Mira", "Come in!"), ("Ann", "Sit."))]
    (chat,) = parse(json.dumps({"type": "risuChat", "data": {"message": lines}}).encode(), "x")
    assert told(chat.save("x"))[-1] == ("model", last) and len(chat.remarks) == remarks


def test_what_is_told_to_the_model_is_no_turn() -> None:
    marks = chats.KOBOLD_MARKS | {"actions": ["\n{{[SYSTEM]}}\nBe brief.\n{{[INPUT]}}\nI do.\n{{[OUTPUT]}}\nSit."]}
    (chat,) = parse(json.dumps(marks).encode(), "x")
    assert told(chat.save("x")) == [("model", "Come in!"), ("user", "I do."), ("model", "Sit.")]
    assert chat.memory == "Mira is kind.\n\nBe brief."
    (chat,) = parse(b"System: Be brief.\nUser: I do.\nAssistant: Sit.\nUser: Yes.\n", "x")
    assert (chat.memory.strip(), len(chat.story)) == ("Be brief.", 3)


@pytest.mark.parametrize(
    "said",
    [
        "<think>\nHm.\n</think>\n\nSit.",
        "[THINK]Hm.[/THINK]Sit.",
        "<Reasoning>Hm.</Reasoning><answer>Sit.",
        "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>Sit.",
    ],
)
def test_thoughts_of_a_reply_are_no_part_of_it(said: str) -> None:
    """In whatever program they were kept, and in whatever marks."""
    other = [{"role": "user", "content": "I do."}, {"role": "assistant", "content": said}]
    for data in ({"internal": [["I do.", said]]}, other):
        (chat,) = parse(json.dumps(data).encode(), "x")
        assert told(chat.save("x")) == [("user", "I do."), ("model", "Sit.")]
        assert chat.story.turns[1].thoughts == "Hm."


def test_pictures_alone_and_lines_that_are_no_objects_are_counted() -> None:
    lines = [*chats.SILLYTAVERN.split("\n")[:3], '{"name": "Tom", "is_user": true, "mes": "", "extra": {"image": "x"}}']
    (chat,) = parse("\n".join([*lines, "5", "[]", "null"]).encode(), "x")
    assert chat.remarks == ["3 broken lines left out", "1 message without words left out"]


def test_names_of_a_chat_are_kept() -> None:
    (chat,) = parse(chats.EVERY_TEXT["kobold chat"].encode(), "x")
    assert (chat.you, chat.narrator, chat.roleplay) == ("Tom", "Mira", True)


def test_pickles_are_never_read() -> None:
    (chat,) = parse(chats.EVERY_TEXT["kobold 2"].encode(), "x")
    assert chat.memory == "" and chat.remarks == ["1 pickled values left out"]


def test_kobold_numbers_that_are_equal_are_told_in_the_files_order() -> None:
    actions = {number: {"Selected Text": f"{number} came."} for number in ("1", "01", "0")}
    told = json.loads(chats.EVERY_TEXT["kobold 2"]) | {"actions": {"action count": 3, "actions": actions}}
    (chat,) = parse(json.dumps(told).encode(), "x")
    text = "".join(turn.text for turn in chat.save("x").turns)
    assert text.index("0 came.") < text.index("1 came.") < text.index("01 came.")


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "x is no chat that is known here"),
        (b"\x89PNG\r\n\x1a\n\xff", "x is no text"),
        (b"PK\x03\x04\x14\x00", "x is an archive: unpack it, and give the folder that comes out"),
        (b"{", "x is damaged: Expecting property name"),
        (b'{"a": 1}', "x is no chat that is known here"),
        (b"[" * 100_000, "x is "),
        (b"once upon a time", "x is no chat that is known here"),
        (b'{"internal": [["a"]]}', r"x: internal\[0\] has 1 texts and should have two"),
        (b'{"internal": {"a": 1}}', "x: internal is an object and should be a list"),
        (b'{"prompt": "", "memory": [], "actions": []}', "x: memory is a list and should be a text"),
        (b'{"user_name": "a"}\n{"name": "b", "is_user": true, "mes": ["c"]}', "x: message 2.mes is a list"),
        (b'{"histories": {"histories": [{"msgs": [{"src": 1}]}]}}', r"x: histories\[0\].msgs\[0\].src is a number"),
        (b'{"a": 1}\n{"a": 2}', "x is no chat that is known here"),
        (b'{"spec": "chara_card_v2", "data": {"name": "Mira"}}', "x is a character, not a chat: `.* play x` plays it"),
        (b'{"entries": {"0": {"key": ["a"], "content": "b"}}}', "x is a lorebook, not a chat: `.* play --lore x`"),
        (b'[{"keys": "a,b", "value": "c"}]', "x is a lorebook, not a chat"),
        (b'{"schema": 2, "turns": []}', "x is a story of advrepl already"),
    ],
)
def test_what_is_no_chat_is_refused_in_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(AdvreplError, match=sentence) as error:
        parse(data, "x")[0].save("x")
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=4,
)


def changed(value: object, path: list[int], other: object) -> object:
    """The value with one part of it, wherever the path leads, replaced."""
    if not path or not isinstance(value, dict | list) or not value:
        return other
    keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = keys[path[0] % len(keys)]
    copy = value.copy()
    copy[key] = changed(value[key], path[1:], other)
    return copy


@given(st.sampled_from(sorted(chats.EVERY)), st.lists(st.integers(0, 9), min_size=1, max_size=5), JSON)
def test_odd_types_are_read_or_refused_and_nothing_else(name: str, path: list[int], other: object) -> None:
    data = json.dumps(changed(chats.EVERY[name], path, other)).encode()
    try:
        for chat in parse(data, "x"):
            saves.parse(saves.encode(chat.save("x")), "x")
    except AdvreplError as error:
        assert "\n" not in str(error)


@given(st.integers(0, len(chats.SILLYTAVERN)))
def test_a_cut_chat_keeps_its_whole_lines(end: int) -> None:
    data = chats.SILLYTAVERN[:end]
    try:
        (chat,) = parse(data.encode(), "x")
        save = chat.save("x")
    except AdvreplError:
        assert data.count('"mes"') < 2
        return
    assert len(save.turns) >= data[: data.rfind("\n") + 1].count('"is_system": false')


WORDS = st.text(min_size=1).map(lambda text: text.replace("\r", "")).filter(lambda text: bool(text.strip()))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=12), st.lists(WORDS, min_size=1, max_size=5))
def test_import_after_export_gives_the_same_story(steps: list[tuple[bool, int]], words: list[str]) -> None:
    """Names, note and all; with the takes of its turns where the form has a place for them."""
    story = grown(steps)
    texts = [f"{words[at % len(words)]} {at}".strip() for at in range(len(story.turns))]
    story = Story(
        [Turn(turn.parent, "model" if at % 2 else "user", texts[at]) for at, turn in enumerate(story.turns)],
        story.head,
    )
    save = save_of(story)
    (chat,) = parse(sillytavern.write(save).encode("utf-8", "surrogatepass"), "x")
    again = chat.save("x")
    assert told(again) == told(save)
    assert again.scenario == save.scenario
    path, other = story.path, Story(again.turns, again.head)
    for place, index in enumerate(path):
        takes = [
            story.turns[take].text
            for take in story.siblings(index)
            if story.turns[take].role == story.turns[index].role
        ]
        assert [other.turns[take].text for take in other.siblings(other.path[place])] == takes
    (chat,) = parse(kobold.write(save).encode(), "x")
    assert told(chat.save("x")) == told(save)


def test_kobold_lite_keeps_the_note_and_the_memory() -> None:
    scenario = msgspec.structs.replace(START, memory="Dark.", injections={NOTE: Injection("It rains.", 4)})
    save = msgspec.structs.replace(save_of(grown([])), scenario=scenario)
    (chat,) = parse(kobold.write(save).encode(), "x")
    assert (chat.memory, chat.note) == ("Dark.", "It rains.")


def test_pages() -> None:
    turns = [
        Turn(None, "model", "A <house>."), Turn(0, "user", "in"), Turn(1, "model", "A hall."),
        Turn(0, "user", "away"), Turn(3, "model", "A road."), Turn(1, "model", "A cellar."),
    ]  # fmt: skip
    save = save_of(Story(turns, 5))
    assert pages.markdown(save) == "# \n\nA \\<house>.\n\n> in\n\nA cellar.\n"
    assert pages.text(save) == "Narrator: A <house>.\n\nYou: in\n\nNarrator: A cellar.\n"
    body = pages.html(save).split("</h1>\n")[1]
    assert body == (
        '<p class="model">A &lt;house&gt;.</p>\n'
        '<details><summary>another way: away…</summary>\n<p class="user">away</p>\n<p class="model">A road.</p>\n'
        '</details>\n<p class="user">in</p>\n'
        '<details><summary>another way: A hall.…</summary>\n<p class="model">A hall.</p>\n</details>\n'
        '<p class="model">A cellar.</p>\n</body></html>\n'
    )


@pytest.mark.parametrize(
    ("told", "written"),
    [
        ("<script>alert(1)</script>", r"\<script>alert(1)\</script>"),
        (r"\<script>", r"\\\<script>"),
        ("![map](http://a/b.png)", r"!\[map]\(http://a/b.png)"),
        ("[a](javascript:b)", r"[a]\(javascript:b)"),
        ("[a]: http://b\n\n[c][a]", "[a]\\: http://b\n\n[c]\\[a]"),
        ("*He* smiles <3, **you** know: 1 < 2", "*He* smiles <3, **you** know: 1 < 2"),
    ],
)
def test_what_stands_in_a_turn_is_no_html_nor_link_in_markdown(told: str, written: str) -> None:
    page = pages.markdown(msgspec.structs.replace(save_of(Story([Turn(None, "model", told)], 0)), title="<b>\nx"))
    assert page == f"# \\<b> x\n\n{written}\n"


def test_names_are_text_in_a_page_and_a_book() -> None:
    save = msgspec.structs.replace(save_of(Story([Turn(None, "user", "<i>")], 0)), title="<script>")
    with zipfile.ZipFile(io.BytesIO(epub.write(save))) as book:
        told = [pages.html(save), *(book.read(name).decode() for name in book.namelist())]
    assert not [page for page in told if "<script" in page or "<i>" in page]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=30))
def test_a_page_holds_every_turn_once_and_closes_what_it_opens(steps: list[tuple[bool, int]]) -> None:
    story = grown(steps)
    page = pages.html(save_of(story))
    assert page.count("<p class=") == len(story.turns)
    assert page.count("<details>") == page.count("</details>")


def test_a_book_is_xml_that_holds_the_path_in_chapters() -> None:
    told = [f"Turn <{at}> & \x00" for at in range(120)]
    story = Story([Turn(at - 1 if at else None, "model" if at % 2 else "user", text) for at, text in enumerate(told)])
    story.goto(119)
    with zipfile.ZipFile(io.BytesIO(epub.write(save_of(story)))) as book:
        assert book.infolist()[0].filename == "mimetype" and book.infolist()[0].compress_type == zipfile.ZIP_STORED
        assert book.read("mimetype") == b"application/epub+zip"
        documents = [ElementTree.fromstring(book.read(name)) for name in book.namelist() if name != "mimetype"]
    texts = [p.text for document in documents for p in document.iter("{http://www.w3.org/1999/xhtml}p")]
    assert texts == [text.replace("\x00", "\N{REPLACEMENT CHARACTER}") for text in told]


def test_a_huge_file_is_refused_by_its_size(tmp_path: Path) -> None:
    from advrepl.exchange import reading

    path = tmp_path / "x.json"
    with path.open("wb") as file:
        file.truncate(reading.MOST_BYTES + 1)
    with pytest.raises(AdvreplError, match="has 256 MB, the limit is 256"):
        reading.read(path)
