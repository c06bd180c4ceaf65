"""Stories under a passphrase: nothing in the clear, no byte that could change unseen, one sentence for a wrong one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.story import checking, crypt, relocking, renaming, saves
from advrepl.story.glance import glance
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import Save
from tests.story.test_saves import a_save

PASSPHRASE = "wide awake at midnight"
WORDS = "The lighthouse keeper hides a brass key."


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keys of no strength, in milliseconds; none is known from the test before."""
    monkeypatch.setattr(crypt, "COST", 1 << 10)
    monkeypatch.setattr(crypt, "_keys", {})
    yield


@pytest.fixture
def story(tmp_path: Path) -> Path:
    """A story of two versions, encrypted."""
    path = tmp_path / "story.json"
    lock = crypt.new_lock(PASSPHRASE)
    with SaveFile(path) as file:
        for save in (a_save("Begin!"), a_save("Begin!", WORDS)):
            file.write(msgspec.structs.replace(save, lock=lock))
    return path


def forgotten() -> None:
    """As in another session."""
    crypt._keys.clear()


def test_a_lock_has_the_strength_that_the_docs_promise() -> None:
    assert crypt.Lock(salt=bytes(16), check=bytes(32)) == crypt.Lock(bytes(16), bytes(32), 1 << 17, 8, 1)


def test_the_key_is_that_of_rfc_7914() -> None:
    """Its third example, whose 64 bytes are split in two."""
    lock = crypt.Lock(salt=b"SodiumChloride", check=bytes(32), n=16384, r=8, p=1)
    key, check = crypt._derived(lock, "pleaseletmein")
    assert (key + check).hex().startswith("7023bdcb3afd7348461c06cd81fd38eb") and len(key) == len(check) == 32


@pytest.mark.parametrize("cost", [(1 << 20, 16, 4), (1 << 20, 8, 1), (1 << 17, 8, 3), (3 << 15, 8, 1)])
def test_a_lock_that_would_take_gigabytes_or_minutes_is_refused(cost: tuple[int, int, int]) -> None:
    with pytest.raises(AdvreplError, match="its lock is none that advrepl makes"):
        crypt._derived(crypt.Lock(bytes(16), bytes(32), *cost), PASSPHRASE)


def test_a_story_comes_back_with_its_passphrase_and_not_without(story: Path) -> None:
    whole = saves.load(story)
    assert [turn.text for turn in whole.turns] == ["Begin!", WORDS]
    forgotten()
    with pytest.raises(crypt.Locked, match=r"story\.json is encrypted, and its passphrase was not given"):
        saves.load(story)
    with pytest.raises(AdvreplError, match=r"the passphrase does not open story\.json"):
        crypt.unlock(story, PASSPHRASE + "!")
    crypt.unlock(story, PASSPHRASE)
    assert saves.load(story) == whole


def test_nothing_of_it_is_in_any_file(story: Path) -> None:
    found = {path.name: path.read_bytes() for path in story.parent.iterdir()}
    assert found.keys() == {"story.json", "story.json.bak"}
    for data in found.values():
        for words in (WORDS, "lighthouse", "Begin!", '"T"', "metharme", "abandoned", PASSPHRASE):
            assert words.encode() not in data
    assert json.loads(found["story.json"])["schema"] > saves.SCHEMA, "so that older versions say: update"
    one, other = (json.loads(data) for data in found.values())
    assert one["nonce"] != other["nonce"] and one["lock"] == other["lock"], "one key, never one nonce twice"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_no_byte_changes_unseen(story: Path, data: st.DataObject) -> None:
    written = story.read_bytes()
    at, by = data.draw(st.integers(0, len(written) - 1)), data.draw(st.integers(1, 255))
    changed = bytearray(written)
    changed[at] ^= by
    try:
        found = saves.parse(bytes(changed), "story.json")
    except AdvreplError:
        return
    assert found == saves.parse(written, "story.json"), "white space, or what is vouched for by nothing else"


def test_a_changed_byte_is_told_and_the_version_before_goes_on(story: Path) -> None:
    plain = json.loads(story.read_bytes())
    plain["story"] = plain["story"][:40] + ("A" if plain["story"][40] != "A" else "B") + plain["story"][41:]
    story.write_bytes(msgspec.json.format(json.dumps(plain).encode(), indent=1))
    finding = checking.check(story)
    assert finding.trouble == "story.json is damaged: it is not what was encrypted"
    assert finding.source == "the version before it"
    rescued = checking.repair(finding)
    assert b"Begin!" not in rescued.read_bytes() and saves.load(rescued).turns[0].text == "Begin!"
    with SaveFile(story) as file:
        save, notice = file.load()
    assert [turn.text for turn in save.turns] == ["Begin!"] and "the version before it goes on" in notice
    assert save.lock and crypt.is_encrypted(saves.encode(save))


def test_a_story_that_is_not_opened_is_left_as_it_is(story: Path) -> None:
    before = story.read_bytes()
    forgotten()
    with SaveFile(story) as file, pytest.raises(crypt.Locked):
        file.load()
    assert story.read_bytes() == before
    assert checking.check(story) == checking.Finding(story, locked=True)
    line = glance(story)
    assert (line.title, line.length, line.last, line.model) == ("(encrypted)", "", "", "") and line.changed
    assert renaming.rename(story, "other").read_bytes() == before
    assert saves.title_of(story.with_name("other.json")) == ""


@pytest.mark.parametrize(
    ("first", "second"), [(None, PASSPHRASE), (PASSPHRASE, "another"), (PASSPHRASE, None)], ids=["new", "other", "none"]
)
def test_a_passphrase_changes_in_all_files(tmp_path: Path, first: str | None, second: str | None) -> None:
    path = tmp_path / "a.json"
    lock_of: Callable[[str | None], crypt.Lock | None] = lambda text: crypt.new_lock(text) if text else None  # noqa: E731
    with SaveFile(path) as file:
        file.write(save := msgspec.structs.replace(a_save("Begin!", WORDS), lock=lock_of(first)))
        file.write(save)
    for cache in ("a.kv", f"card~{'0' * 32}.kv"):
        (tmp_path / cache).write_bytes(b"tokens")
    relocking.relock(path, lock_of(second))
    both = [path, saves.backup_of(path)]
    assert [WORDS.encode() in each.read_bytes() for each in both] == [second is None] * 2
    assert bool(list(tmp_path.glob("*.kv"))) == (second is None)
    forgotten()
    for each in both if second else ():
        with pytest.raises(AdvreplError, match="does not open"):
            crypt.unlock(each, first or "nothing")
        crypt.unlock(each, second or "")
        assert texts(saves.load(each)) == ["Begin!", WORDS]


def test_a_story_of_an_older_schema_is_read(tmp_path: Path) -> None:
    old = next((Path(__file__).parent / "golden" / "schema-1").glob("*.json"))
    lock = crypt.new_lock(PASSPHRASE)
    told = saves.parse(crypt.sealed(old.read_bytes(), lock), "old.json")
    assert msgspec.structs.replace(told, lock=None) == saves.load(old) and told.lock == lock


@pytest.mark.parametrize(
    "lock",
    [{"n": 1 << 30}, {"r": 1000}, {"p": 64}, {"n": 3000}, {"salt": ""}, {"n": "many"}],
    ids=lambda lock: str(next(iter(lock.items()))),
)
def test_a_file_cannot_ask_for_more_than_a_machine_has(story: Path, lock: dict[str, object]) -> None:
    plain = json.loads(story.read_bytes())
    plain["lock"] |= lock
    story.write_bytes(msgspec.json.format(json.dumps(plain).encode(), indent=1))
    with pytest.raises(AdvreplError, match="damaged"):
        crypt.unlock(story, PASSPHRASE)


def test_a_lock_within_a_clear_story_is_passed_over(tmp_path: Path) -> None:
    plain = json.loads(saves.encode(a_save("Begin!")))
    del plain["sum"]
    data = json.dumps(plain | {"lock": {"salt": "AAAAAAAAAAA=", "check": "AAAAAAAAAAA="}}).encode()
    assert saves.parse(data, "a.json").lock is None


def test_an_empty_passphrase_is_refused() -> None:
    with pytest.raises(AdvreplError, match="a passphrase cannot be empty"):
        crypt.new_lock("")


def texts(save: Save) -> list[str]:
    return [turn.text for turn in save.turns]
