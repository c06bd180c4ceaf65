"""One file in the place of a folder: what it is, and the weights of one that lies in its folder.

Does not requantize (requantize.py).
"""

from pathlib import Path

from advrepl import regular
from convert import ConvertError
from convert.checkpoint.folder import open_checkpoint
from convert.checkpoint.safetensors import read_safetensors
from convert.foreign import is_lfs_pointer, pointer_left
from convert.tensor import TensorRef

# The first four bytes of llama.cpp's and its forerunners' files before GGUF, as they lie in the file.
OLD_GGML = (b"lmgg", b"fmgg", b"tjgg", b"algg")
SHARD = "-of-"


def is_gguf(file: Path) -> bool:
    """Tell whether the file is a GGUF; raises ConvertError for what is neither that nor weights of a folder."""
    try:
        if is_lfs_pointer(file):
            raise ConvertError(pointer_left([file]))
        with regular.opened(file) as source:
            start = source.read(9)
    except OSError as error:
        raise ConvertError(f"{file}: cannot be read: {error.strerror or error}") from error
    if start[:4] == b"GGUF":
        return True
    if start[:4] in OLD_GGML:
        raise ConvertError(
            f"{file}: an old GGML file, which llama.cpp no longer reads: convert the model's Hugging Face folder, "
            "which this was once made from"
        )
    if file.suffix not in (".safetensors", ".bin") or not (start[8:] == b"{" or start[:2] in (b"PK", b"\x80\x02")):
        raise ConvertError(f"{file}: no model: give a Hugging Face folder, its .safetensors file, or a .gguf")
    if not (file.parent / "config.json").is_file():
        raise ConvertError(
            f"{file}: has no config.json beside it, nor a tokenizer: download the model's whole folder, and give that"
        )
    return False


def open_single(file: Path) -> dict[str, TensorRef]:
    """Find the tensors of one file of weights, or of all its shards; raises ConvertError."""
    if SHARD in file.name or file.suffix != ".safetensors":
        return open_checkpoint(file.parent)
    return {tensor.name: tensor for tensor in read_safetensors(file)}
