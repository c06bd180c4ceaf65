"""An XOR release, its base, and what it should come out as."""

import hashlib
from pathlib import Path

import pytest

from convert import ConvertError
from convert.decode.plan import DecodeJob, plan_jobs
from convert.decode.run import run_jobs
from convert.decode.stream import xor_into
from convert.decode.verify import Checked
from convert.sums import Sums


def sums_of(raw: bytes) -> Sums:
    return Sums(hashlib.md5(raw).hexdigest(), hashlib.sha256(raw).hexdigest())


def xored(payload: bytes, base: bytes) -> bytes:
    result = bytearray(payload)
    xor_into(memoryview(result), memoryview(base))
    return bytes(result)


class Release:
    """XOR, BASE and OUT in a folder, with what OUT should hold."""

    def __init__(self, folder: Path, name: str = "model") -> None:
        self.xor, self.base, self.out = folder / name / "xor_encoded_files", folder / "llama", folder / "out"
        self.xor.mkdir(parents=True)
        self.base.mkdir(exist_ok=True)
        self.expected: dict[str, bytes] = {}

    def add(self, name: str, result: bytes, base: bytes) -> None:
        (self.base / name).write_bytes(base)
        (self.xor / name).write_bytes(xored(result, base))
        self.expected[name] = result

    def plan(self) -> list[DecodeJob]:
        return plan_jobs(self.xor, self.base, self.out)

    def run(self, given: dict[str, Sums] | None = None) -> dict[str, Checked]:
        return {checked.name: checked for checked in run_jobs(self.plan(), given)}

    def results(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.out.iterdir() if not path.name.startswith(".")}

    def refusal(self) -> str:
        with pytest.raises(ConvertError) as caught:
            self.run()
        return str(caught.value)
