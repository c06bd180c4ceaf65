from pathlib import Path

import pytest

from convert import ConvertError
from convert.decode.sum_lists import parse_list, read_list
from convert.sums import Sums

MD5 = "d41d8cd98f00b204e9800998ecf8427e"
SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize(
    "line",
    [
        f"{MD5}  config.json",
        f"{MD5} *config.json",
        f"{MD5.upper()}  config.json",
        f"MD5 (config.json) = {MD5}",
        f"{MD5}  ./config.json",
        f"{MD5}  pygmalion-7b/config.json\r",
        f"{MD5} *pygmalion-7b\\config.json",
        f"; made by rhash\n# and a comment\n\n{MD5}  config.json",
    ],
)
def test_the_usual_forms_of_lists_are_read(line: str) -> None:
    assert parse_list(line + "\n", "md5", "list") == {"config.json": Sums(md5=MD5)}


def test_bsd_lists_of_sha256_are_read() -> None:
    for kind in ("SHA256", "SHA-256"):
        assert parse_list(f"{kind} (a b.json) = {SHA256}", "sha256", "list") == {"a b.json": Sums(sha256=SHA256)}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("config.json", "list, line 1: is no line of a list of sums"),
        (f"{SHA256}  config.json", "is no MD5 sum of 32 digits"),
        (f"SHA256 (config.json) = {MD5}", "is no MD5 sum of 32 digits"),
        (f"{MD5}  a\n{'0' * 32}  a", "line 2: another sum for a than before"),
        ("# nothing\n", "holds no sums"),
    ],
)
def test_other_lists_are_refused(text: str, sentence: str) -> None:
    with pytest.raises(ConvertError, match=sentence):
        parse_list(text, "md5", "list")


def test_lists_come_from_files_also_of_windows(tmp_path: Path) -> None:
    path = tmp_path / "sums.md5"
    path.write_bytes(b"\xef\xbb\xbf" + f"{MD5}  a.json\r\n{MD5}  b.json\r\n".encode())
    assert set(read_list(path, "md5")) == {"a.json", "b.json"}
    path.write_bytes(b"\xff\xfe\xfd")
    with pytest.raises(ConvertError, match="is no list of sums"):
        read_list(path, "md5")
    with pytest.raises(ConvertError, match="No such file"):
        read_list(tmp_path / "none", "md5")
