from pathlib import Path

from convert.sums import CHUNK, Digester, Sums, sum_file, sum_text

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_sums_of_a_stream_are_those_of_its_bytes(tmp_path: Path) -> None:
    assert sum_text("") == Sums(MD5, SHA256)
    text = "abc" * CHUNK  # three chunks
    (tmp_path / "f").write_text(text)
    seen: list[tuple[str, int, int]] = []
    assert sum_file(tmp_path / "f", ["md5", "sha256"], lambda *step: seen.append(step)) == sum_text(text)
    assert seen[-1] == ("f", 3 * CHUNK, 3 * CHUNK)
    assert sum_file(tmp_path / "f", ["sha256"]).md5 is None


def test_chunks_are_hashed_in_order() -> None:
    with Digester(["sha256"]) as digester:
        for number in range(2000):
            digester.update(str(number).encode())
        assert digester.sums().sha256 == sum_text("".join(map(str, range(2000)))).sha256


def test_agreeing_needs_a_sum_in_common() -> None:
    assert Sums(md5="a").agree(Sums(sha256="a")) is None
    assert Sums("a", "b").agree(Sums("a")) is True
    assert Sums("a", "b").agree(Sums("a", "c")) is False
