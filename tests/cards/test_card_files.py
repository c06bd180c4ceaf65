"""Cards in files: the card is found wherever programs put it, the picture stays as it is, no file is trusted."""

import base64
import json
import random
import tracemalloc
import zipfile
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advrepl import AdvreplError
from advrepl.cards import card_files
from tests.card_files import END, HEAD, PIXELS, V2, V3, b64, charx, chunk, itxt, survives, text, ztxt

PNG_V2 = HEAD + PIXELS + text(V2) + END


@pytest.mark.parametrize(
    "data",
    [
        HEAD + text(V2) + PIXELS + END,
        HEAD + PIXELS + text(V2) + END,
        HEAD + PIXELS + text(V2, b"Chara") + END,
        HEAD + PIXELS + ztxt(V2) + END,
        HEAD + PIXELS + itxt(V2) + END,
        HEAD + PIXELS + itxt(V2, packed=True) + END,
        HEAD
        + chunk(b"acTL", bytes(8))
        + chunk(b"fcTL", bytes(26))
        + PIXELS
        + chunk(b"fdAT", b"\0\0\0\1x")
        + text(V2)
        + END,
        PNG_V2 + b"bytes behind the end",
        charx({"card.json": json.dumps(V2).encode(), "assets/x.bin": b"1"}),
        charx({"card.json": json.dumps(V2).encode()}, zipfile.ZIP_STORED),
        b"\xff\xd8\xff\xe0 a JPEG" + charx({"card.json": json.dumps(V2).encode()}),
        json.dumps(V2).encode(),
        b"\xef\xbb\xbf" + json.dumps(V2).encode(),
    ],
    ids=[
        *("before", "behind", "case", "ztxt", "itxt", "itxt-packed", "apng", "trailing"),
        *("charx", "stored", "jpeg-charx", "json", "bom"),
    ],
)
def test_the_card_is_found(data: bytes) -> None:
    assert card_files.unpack(data, "a.png") == (V2, [])


def test_ccv3_comes_before_chara() -> None:
    assert card_files.unpack(HEAD + text(V2) + PIXELS + text(V3, b"ccv3") + END, "a.png") == (V3, [])


def test_copies_that_disagree_are_named() -> None:
    other = {**V2, "data": {"name": "Ada", "description": "A poet"}}
    card, notes = card_files.unpack(HEAD + text(V2) + PIXELS + text(other) + END, "a.png")
    assert card == V2
    assert notes == ["two copies of the card disagree in description: the chara chunk that came first was taken"]


def test_a_wrong_checksum_loses_against_a_right_one() -> None:
    stale = chunk(b"tEXt", b"ccv3\0" + b64({"name": "Eve"}), crc=7)
    card, notes = card_files.unpack(HEAD + stale + PIXELS + text(V2) + END, "a.png")
    assert card["data"]["name"] == "Ada"
    alone, notes = card_files.unpack(HEAD + stale + PIXELS + END, "a.png")
    assert (alone, notes) == ({"name": "Eve"}, ["the checksum of the ccv3 chunk is wrong"])


def test_a_broken_copy_gives_way_to_the_next() -> None:
    broken = chunk(b"zTXt", b"ccv3\0\0no zlib")
    card, notes = card_files.unpack(HEAD + broken + text(V2) + PIXELS + END, "a.png")
    assert (card, notes) == (V2, ["its ccv3 chunk cannot be read: its compressed text is damaged"])


def test_a_cut_picture_still_gives_its_card() -> None:
    assert card_files.unpack((HEAD + text(V2) + PIXELS)[:-5], "a.png") == (V2, ["the picture is cut short"])


@pytest.mark.parametrize(
    ("body", "note"),
    [
        (json.dumps(V2).encode(), "the chara chunk holds bare JSON, not base64"),
        (b64(V2).rstrip(b"="), None),
        (b"\n".join([b64(V2)[:40], b64(V2)[40:]]), None),
        (base64.urlsafe_b64encode(json.dumps(V2, ensure_ascii=False).encode()), None),
    ],
)
def test_base64_is_read_as_people_write_it(body: bytes, note: str | None) -> None:
    data = HEAD + chunk(b"tEXt", b"chara\0" + body) + PIXELS + END
    assert card_files.unpack(data, "a.png") == (V2, [note] if note else [])


def bomb(size: int) -> bytes:
    return zlib.compress(bytes(size), 9)


def spoilt_zip() -> bytes:
    return charx({"card.json": json.dumps(V2).encode()}, zipfile.ZIP_STORED).replace(b"Ada", b"Eve")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "a card is a JSON object, and this is none"),
        (b"just prose", "this is none"),
        (b"\x00\x01\x02", "neither PNG, CHARX, JSON nor YAML"),
        (b"{'name': 1}", "the JSON is damaged"),
        (b'{"name": "a"', "the JSON is damaged"),
        (b"[1, 2]", "this is none"),
        (b"\xff\xfe\x00", "begins like UTF-16"),
        (b'{"a":' * 400 + b"1" + b"}" * 400, "nests deeper than 100 levels"),
        (b"[" * 100_000, "nests deeper than 100 levels"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", r"references \(\*name\)"),
        (b"a: [" * 5_000, "the YAML nests deeper than 100 levels"),
        (b"name: " + b"x" * 140_000, "more than the 128 KB"),
        (b'{"a": "' + b"x" * (8 << 20) + b'"}', "more than 8 MB of text"),
        (bytes(65 << 20), "more than 64 MB"),
        (b"\xff\xd8\xff\xe0 JFIF", "a JPEG picture"),
        (b"RIFF....WEBP", "a WebP picture"),
        (b"\x89PNG\r\n\x1a\n", "cut short before its card"),
        (HEAD + PIXELS + END, "no card in it"),
        (PNG_V2[:120], "cut short before its card"),
        (HEAD + chunk(b"tEXt", b"chara\0%%%") + END, "not base64"),
        (HEAD + chunk(b"zTXt", b"chara\0\0" + bomb(200 << 20)) + END, "more than the 8 MB"),
        (HEAD + chunk(b"iTXt", b"chara\0\1\0\0\0" + bomb(200 << 20)) + END, "more than the 8 MB"),
        (HEAD + chunk(b"eXIf", b"") * 200_001 + END, "more than 200,000 chunks"),
        (charx({"card.json": bytes(50 << 20)}), "more than 8 MB"),
        (charx({"other.json": b"{}"}), "has no card.json"),
        (charx({"card.json": b"{}"}, zipfile.ZIP_BZIP2), "packed in an unusual way"),
        (charx({f"{i}": b"" for i in range(10_001)}), "10,001 files; 10,000 is the most"),
        (charx({"card.json": b"{}"})[:-30], "archive is damaged"),
        (spoilt_zip(), "card.json in the archive is damaged .Bad CRC-32"),
    ],
)
def test_bad_files_are_refused_in_a_sentence(data: bytes, message: str) -> None:
    with pytest.raises(AdvreplError, match=message) as caught:
        card_files.unpack(data, "cards/a.png")
    assert str(caught.value).startswith("cards/a.png ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "data",
    [HEAD + chunk(b"zTXt", b"chara\0\0" + bomb(400 << 20)) * 20 + END, charx({"card.json": bytes(400 << 20)})],
    ids=["zlib", "zip"],
)
def test_bombs_take_little_memory(data: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(AdvreplError):
            card_files.unpack(data, "a.png")
        assert tracemalloc.get_traced_memory()[1] < 60 << 20
    finally:
        tracemalloc.stop()


def parts(data: bytes) -> list[bytes]:
    return [data[chunk.start : chunk.end] for chunk in card_files.png_chunks(data)]


BODIES = st.tuples(st.sampled_from([b"IDAT", b"tEXt", b"fdAT", b"zTXt", b"eXIf"]), st.binary(max_size=40))


@given(st.lists(BODIES, max_size=8), st.binary(max_size=20), st.binary(max_size=60))
@settings(max_examples=150, deadline=None)
def test_embedding_changes_nothing_else(bodies: list[tuple[bytes, bytes]], tail: bytes, card: bytes) -> None:
    own = [chunk(kind, body) for kind, body in bodies if body.split(b"\0")[0].lower() not in (b"chara", b"ccv3")]
    old = [ztxt(V2), text(V3, b"CCV3")]
    mixed = own + old
    random.Random(len(card)).shuffle(mixed)
    others = [part for part in mixed if part not in old]
    new = card_files.embed(HEAD + b"".join(mixed) + END + tail, {"chara": card, "ccv3": b"{}"})
    added = [chunk(b"tEXt", b"chara\0" + base64.b64encode(card)), chunk(b"tEXt", b"ccv3\0e30=")]
    assert new == HEAD + b"".join([*others, *added]) + END + tail


@pytest.mark.parametrize(
    ("uri", "found"),
    [
        ("embeded://assets/icon.png", b"icon"),
        ("embedded:///assets/icon.png", b"icon"),
        ("embeded://assets/none.png", None),
        ("data:image/png;base64,aWNvbg==", b"icon"),
        ("data:image/png;base64,a", None),
        ("ccdefault:", None),
        ("https://example.org/icon.png", None),
    ],
)
def test_the_icon_of_an_archive_is_found(uri: str, found: bytes | None) -> None:
    assert card_files.read_asset(charx({"card.json": b"{}", "assets/icon.png": b"icon"}), uri) == found


@pytest.mark.parametrize(
    ("picture", "message"), [(b"GIF89a", "no PNG"), (HEAD + PIXELS[:-1], "cut short"), (HEAD[:8], "cut short")]
)
def test_only_whole_pngs_take_a_card(picture: bytes, message: str) -> None:
    with pytest.raises(AdvreplError, match=message):
        card_files.embed(picture, {"chara": b"{}"})


def test_the_plain_picture_is_a_whole_png() -> None:
    data = card_files.plain_picture()
    kinds = [part[4:8] for part in parts(data)]
    pixels = zlib.decompress(parts(data)[1][8:-4])
    assert kinds == [b"IHDR", b"IDAT", b"IEND"] and len(pixels) == 96 * (64 + 1)
    assert all(part == chunk(part[4:8], part[8:-4]) for part in parts(data))


SEEDS: list[bytes] = [
    HEAD + text(V2) + ztxt(V3, b"ccv3") + itxt(V2, packed=True) + PIXELS + END,
    charx({"card.json": json.dumps(V2).encode(), "assets/icon.png": b"icon"}),
    json.dumps(V2).encode(),
    json.dumps(V2).encode("utf-16"),
    b"name: Ada\ngreeting: |-\n  Hello.\ncontext: 'x'\n",
]


@given(st.sampled_from(SEEDS), st.lists(st.tuples(st.integers(0, 2_000), st.binary(max_size=6)), max_size=6), st.data())
@settings(max_examples=400, deadline=None)
def test_damaged_files_never_crash(seed: bytes, edits: list[tuple[int, bytes]], draw: st.DataObject) -> None:
    data = bytearray(seed)
    for at, new in edits:
        at %= len(data)
        data[at : at + draw.draw(st.integers(0, 6))] = new
    survives(lambda: card_files.unpack(bytes(data), "a"))
    survives(lambda: card_files.read_asset(bytes(data), "embeded://assets/icon.png"))
    survives(lambda: card_files.embed(bytes(data), {"chara": b"{}"}))


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_noise_never_crashes(noise: bytes) -> None:
    for head in (b"", HEAD, b"PK\x03\x04", b"{", b"\xff\xfe"):
        survives(lambda data=head + noise: card_files.unpack(data, "a"))  # type: ignore[misc]
