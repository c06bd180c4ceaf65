"""Importance matrices as files: read both forms llama.cpp knows, write the newer one.

An entry says how strongly each input column of a weight is used: the mean square of what is multiplied with it.
Does not make one (collect.py) and does not quantize (process.py).
"""

import struct
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from advrepl import regular
from convert import ConvertError

Floats = npt.NDArray[np.float32]

CHUNK_TOKENS = 512  # tokens run at once when a matrix is made; llama.cpp's own tool uses the same


def read_imatrix(file: Path) -> dict[str, Floats]:
    """Mean squares, one for each input column, by the weight's name; what is no matrix is a ConvertError."""
    try:
        with regular.opened(file) as opened:
            magic = opened.read(4)
        found = _read_gguf(file) if magic == b"GGUF" else _read_legacy(regular.read(file))
    except OSError as error:
        raise ConvertError(f"{file}: {error.strerror}") from None
    except (ValueError, IndexError, KeyError, struct.error) as error:
        raise ConvertError(f"{file}: not an importance matrix of llama.cpp ({error})") from None
    if not found:
        raise ConvertError(f"{file}: holds no entries of an importance matrix")
    bad = [name for name, values in found.items() if not np.isfinite(values).all()]
    if bad:
        raise ConvertError(f"{file}: entries that are not numbers: {', '.join(bad)}")
    return found


def described(file: Path) -> dict[str, str | int]:
    """What a quantized file says of the matrix it was made with, under the keys that llama.cpp's own tool writes."""
    found: dict[str, str | int] = {
        "quantize.imatrix.file": file.name,
        "quantize.imatrix.entries_count": len(read_imatrix(file)),
    }
    with file.open("rb") as opened:
        if opened.read(4) != b"GGUF":
            return found
    fields = gguf.GGUFReader(file).fields
    if datasets := (fields["imatrix.datasets"].contents() if "imatrix.datasets" in fields else None):
        found["quantize.imatrix.dataset"] = str(datasets[0])
    if "imatrix.chunk_count" in fields:
        found["quantize.imatrix.chunks_count"] = int(fields["imatrix.chunk_count"].contents())
    return found


def _read_gguf(file: Path) -> dict[str, Floats]:
    tensors = {t.name: np.array(t.data, np.float32) for t in gguf.GGUFReader(file).tensors}
    return {
        name.removesuffix(".in_sum2"): _mean(values, tensors[name.removesuffix(".in_sum2") + ".counts"])
        for name, values in tensors.items()
        if name.endswith(".in_sum2")
    }


def _mean(sums: Floats, counts: Floats) -> Floats:
    """Sums over counts, one count per matrix of an expert model; 1 where nothing was counted, as llama.cpp does."""
    rows = sums.reshape(counts.size, -1)
    count = counts.reshape(-1, 1)
    return np.where(count > 0, rows / np.maximum(count, 1), np.float32(1)).ravel().astype(np.float32)


def _read_legacy(data: bytes) -> dict[str, Floats]:
    """The form before GGUF: a count, then per entry a name, the number of calls, and the values times that number."""
    found: dict[str, Floats] = {}
    (entries,) = struct.unpack_from("<i", data)
    at = 4
    for _ in range(entries):
        (length,) = struct.unpack_from("<i", data, at)
        name = data[at + 4 : at + 4 + length].decode("utf-8")
        at += 4 + length
        calls, size = struct.unpack_from("<ii", data, at)
        if length < 1 or size < 1:
            raise ValueError("an entry without a name or values")
        values = np.frombuffer(data, "<f4", size, at + 8)
        found[name] = (values / max(calls, 1)).astype(np.float32)
        at += 8 + 4 * size
    return found


def write_imatrix(file: Path, sums: dict[str, npt.NDArray[np.float64]], counts: dict[str, int], chunks: int) -> None:
    """Write the GGUF form, which llama.cpp's own tools read too.

    `sums` are of squares, one for each input column, and `counts` of the rows that were added up, both by the weight's
    name; `chunks` is how often the model was run.
    """
    writer = gguf.GGUFWriter(file, "imatrix")
    writer.add_type("imatrix")
    writer.add_array("imatrix.datasets", ["calibration text"])
    writer.add_uint32("imatrix.chunk_count", chunks)
    writer.add_uint32("imatrix.chunk_size", CHUNK_TOKENS)
    for name in sorted(sums):
        writer.add_tensor(f"{name}.in_sum2", sums[name].astype(np.float32).reshape(1, -1))
        writer.add_tensor(f"{name}.counts", np.array([[counts[name]]], np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
