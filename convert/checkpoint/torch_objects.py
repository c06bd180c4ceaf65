"""What a pickle of torch holds besides plain values: storages, tensors as views of them, and the calls that make them.

Knows no pickle (unpickle.py) and reads no bytes. All that torch would not write is a ConvertError.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convert import ConvertError
from convert.foreign import quote
from convert.tensor import MAX_DIMENSIONS, MAX_ELEMENTS, is_count

STORAGE_TYPES = {
    "torch.FloatStorage": "F32",
    "torch.HalfStorage": "F16",
    "torch.BFloat16Storage": "BF16",
    "torch.DoubleStorage": "F64",
    "torch.LongStorage": "I64",
    "torch.IntStorage": "I32",
    "torch.ShortStorage": "I16",
    "torch.CharStorage": "I8",
    "torch.ByteStorage": "U8",
    "torch.BoolStorage": "BOOL",
}


@dataclass(frozen=True, slots=True)
class Storage:
    """A run of elements in the file, on which tensors are views."""

    key: str  # a number in digits that names its bytes in the file
    dtype: str  # a key of tensor.NUMPY_TYPES
    numel: int  # number of elements


@dataclass(frozen=True, slots=True)
class View:
    """A tensor: a view of a storage."""

    storage: Storage
    offset: int  # of its first element, in elements
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements


@dataclass(frozen=True, slots=True)
class Global:
    """A name the pickle gives; one of STORAGE_TYPES or CALLS."""

    name: str


def storage_of(identity: Any) -> Storage:
    """The storage that a persistent id names: ("storage", type, key, device, number of elements[, view])."""
    if type(identity) is tuple and identity and identity[0] == "module":
        raise ConvertError("holds a whole pickled model, not a plain dict of tensors; save it again as a state dict")
    if type(identity) is not tuple or len(identity) not in (5, 6) or type(identity[0]) is not str:
        raise ConvertError("a storage is not named in torch's way")
    tag, kind, key, location, numel = identity[:5]
    known = type(kind) is Global and kind.name in STORAGE_TYPES
    if tag != "storage" or not known or type(location) is not str or not is_count(numel) or numel > MAX_ELEMENTS:
        raise ConvertError("a storage is not named in torch's way")
    if len(identity) == 6 and identity[5] is not None:
        raise ConvertError("a storage is a view of another one, as torch before 0.4 wrote them; save it again")
    # torch numbers its storages; anything else could be meant as a path.
    if type(key) is not str or not (key.isascii() and key.isdigit()) or len(key) > 20:
        raise ConvertError(f"the storage key {quote(str(key)) if type(key) is str else '?'} is not a number")
    return Storage(key, STORAGE_TYPES[kind.name], numel)


def _ordered_dict(arguments: tuple[Any, ...]) -> dict[Any, Any]:
    if arguments:
        raise ConvertError("an OrderedDict is made from arguments, which torch.save never does")
    return {}


def _tensor(arguments: tuple[Any, ...]) -> View:
    # (storage, offset, size, stride, requires_grad, hooks[, metadata]); metadata marks conjugated and negated views.
    if len(arguments) not in (6, 7) or (len(arguments) == 7 and arguments[6] not in (None, {})):
        raise ConvertError("a tensor is not described in torch's way")
    storage, offset, shape, strides = arguments[:4]
    if type(storage) is not Storage or not is_count(offset):
        raise ConvertError("a tensor has no storage or a negative offset")
    for sizes in (shape, strides):
        if type(sizes) is not tuple or not all(is_count(size) for size in sizes):
            raise ConvertError("a tensor has a negative or missing size or stride")
    if len(shape) != len(strides) or len(shape) > MAX_DIMENSIONS:
        raise ConvertError(f"a tensor has {len(shape)} sizes and {len(strides)} strides")
    return View(storage, offset, shape, strides)


def _parameter(arguments: tuple[Any, ...]) -> View:
    if len(arguments) != 3 or type(arguments[0]) is not View:
        raise ConvertError("a parameter is not described in torch's way")
    return arguments[0]


CALLS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    "collections.OrderedDict": _ordered_dict,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
}
