"""Read the pickles that torch.save writes for plain tensors, and nothing else.

A stack machine of its own over an allow-list of opcodes and names: no import, no attribute is looked up, nothing that
a file names is ever called. Knows nothing of files and storage bytes (torch_file.py).
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from convert import ConvertError
from convert.foreign import short
from convert.tensor import MAX_DIMENSIONS

# A 7B checkpoint's pickle is under 100 kB and its memo under 5,000 entries.
MAX_PICKLE = 4 << 20
MAX_STACK = 20_000
MAX_MEMO = 500_000
# Beyond this a tensor is a trick, not a weight; it also keeps byte counts far from 64-bit overflow.
MAX_ELEMENTS = 1 << 40

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
    key: str  # names the bytes in the file
    dtype: str
    numel: int


@dataclass(frozen=True, slots=True)
class View:
    """A tensor: a window on a storage, in elements."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Global:
    """A name the pickle gives; one of STORAGE_TYPES or CALLS."""

    name: str


_MARK = object()


def unpickle(source: bytes, start: int = 0) -> tuple[Any, int]:
    """Read one pickle of `source`; give its value and the position behind it."""
    machine = _Machine(source, start)
    while True:
        opcode = machine.take(1)[0]
        if opcode == _STOP:
            return machine.result(), machine.position
        step = _STEPS.get(opcode)
        if step is None:
            raise ConvertError(f"pickle opcode 0x{opcode:02x} has no place in a file of weights")
        step(machine)


class _Machine:
    def __init__(self, source: bytes, start: int) -> None:
        self.source, self.position = source, start
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        end = self.position + count
        if end > len(self.source):
            raise ConvertError("the pickle is cut off")
        taken = self.source[self.position : end]
        self.position = end
        return taken

    def number(self, form: str) -> int:
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def line(self) -> str:
        end = self.source.find(b"\n", self.position, self.position + 256)
        if end < 0:
            raise ConvertError("the pickle names something longer than 255 characters")
        return text(self.take(end + 1 - self.position)[:-1])

    def push(self, value: Any) -> None:
        if len(self.stack) >= MAX_STACK:
            raise ConvertError(f"the pickle stacks more than {MAX_STACK:,} values")
        self.stack.append(value)

    def pop(self) -> Any:
        if not self.stack or self.stack[-1] is _MARK:
            raise ConvertError("the pickle takes a value that is not there")
        return self.stack.pop()

    def pop_many(self, count: int) -> tuple[Any, ...]:
        return tuple(self.pop() for _ in range(count))[::-1]

    def pop_to_mark(self) -> list[Any]:
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                taken = self.stack[index + 1 :]
                del self.stack[index:]
                return taken
        raise ConvertError("the pickle ends a group that never began")

    def remember(self, index: int) -> None:
        if len(self.memo) >= MAX_MEMO:
            raise ConvertError(f"the pickle remembers more than {MAX_MEMO:,} values")
        value = self.pop()
        self.push(value)
        self.memo[index] = value

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise ConvertError("the pickle recalls a value it never stored")
        self.push(self.memo[index])

    def result(self) -> Any:
        value = self.pop()
        if self.stack:
            raise ConvertError("the pickle leaves values behind")
        return value


def text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConvertError("the pickle holds text that is not UTF-8") from error


def is_count(value: Any) -> bool:
    # bool is an int to isinstance, and True is not a size.
    return type(value) is int and value >= 0


def _protocol(machine: _Machine) -> None:
    version = machine.number("<B")
    if version != 2:
        raise ConvertError(f"pickle protocol {version} is not the 2 that torch.save writes")


def _name(machine: _Machine) -> None:
    module, name = machine.line(), machine.line()
    full = f"{module}.{name}"
    if full not in STORAGE_TYPES and full not in CALLS:
        raise ConvertError(_refusal(full))
    machine.push(Global(full))


def _refusal(name: str) -> str:
    if name.startswith(("torch._utils.", "torch.storage.", "torch._tensor.")) or name.endswith("Storage"):
        return f"uses {short(name)}, a kind of tensor that is not read here; save it again as safetensors"
    if name.split(".")[0] in ("torch", "transformers", "__torch__", "__main__"):
        return (
            f"holds the Python object {short(name)}, so a whole model was pickled and not a plain dict of tensors; "
            "save it again with save_pretrained"
        )
    return f"asks to use {short(name)}, which no file of weights needs; it could run a command and is not read"


def _long(machine: _Machine) -> None:
    machine.push(int.from_bytes(machine.take(machine.number("<B")), "little", signed=True))


def _set_item(machine: _Machine) -> None:
    key, value = machine.pop_many(2)
    _fill(machine, [key, value])


def _set_items(machine: _Machine) -> None:
    _fill(machine, machine.pop_to_mark())


def _fill(machine: _Machine, items: list[Any]) -> None:
    target = machine.pop()
    if type(target) is not dict or len(items) % 2:
        raise ConvertError("the pickle sets items on something that is no dict")
    for key, value in zip(items[::2], items[1::2], strict=True):
        # Only these: hashing nested tuples that share their parts takes exponential time.
        if type(key) not in (str, int):
            raise ConvertError("a dict's key is neither text nor a number, so this is no state dict")
        if key in target:
            raise ConvertError(f"the name {short(str(key))} occurs twice")
        target[key] = value
    machine.push(target)


def _append(machine: _Machine) -> None:
    _extend(machine, [machine.pop()])


def _appends(machine: _Machine) -> None:
    _extend(machine, machine.pop_to_mark())


def _extend(machine: _Machine, items: list[Any]) -> None:
    target = machine.pop()
    if type(target) is not list:
        raise ConvertError("the pickle appends to something that is no list")
    target.extend(items)
    machine.push(target)


def _build(machine: _Machine) -> None:
    """Drop the attributes torch hangs on a state dict (_metadata, versions of modules)."""
    target, state = machine.pop_many(2)
    if type(target) is not dict or type(state) is not dict or set(state) - {"_metadata"}:
        raise ConvertError("the pickle sets attributes on an object; only a dict of tensors is read")
    machine.push(target)


def _persistent(machine: _Machine) -> None:
    machine.push(storage_of(machine.pop()))


def storage_of(identity: Any) -> Storage:
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
        raise ConvertError(f"the storage key {short(str(key)) if type(key) is str else '?'} is not a number")
    return Storage(key, STORAGE_TYPES[kind.name], numel)


def _reduce(machine: _Machine) -> None:
    target, arguments = machine.pop_many(2)
    if type(target) is not Global or target.name not in CALLS or type(arguments) is not tuple:
        raise ConvertError("the pickle calls something that is no function of torch's")
    machine.push(CALLS[target.name](arguments))


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

_STOP = ord(".")

_STEPS: dict[int, Callable[[_Machine], None]] = {
    0x80: _protocol,
    ord("c"): _name,
    ord("}"): lambda m: m.push({}),
    ord("]"): lambda m: m.push([]),
    ord(")"): lambda m: m.push(()),
    ord("("): lambda m: m.push(_MARK),
    ord("q"): lambda m: m.remember(m.number("<B")),
    ord("r"): lambda m: m.remember(m.number("<I")),
    ord("h"): lambda m: m.recall(m.number("<B")),
    ord("j"): lambda m: m.recall(m.number("<I")),
    ord("X"): lambda m: m.push(text(m.take(m.number("<I")))),
    ord("J"): lambda m: m.push(m.number("<i")),
    ord("K"): lambda m: m.push(m.number("<B")),
    ord("M"): lambda m: m.push(m.number("<H")),
    0x8A: _long,
    ord("G"): lambda m: m.push(struct.unpack(">d", m.take(8))[0]),
    ord("N"): lambda m: m.push(None),
    0x88: lambda m: m.push(True),
    0x89: lambda m: m.push(False),
    ord("t"): lambda m: m.push(tuple(m.pop_to_mark())),
    0x85: lambda m: m.push(m.pop_many(1)),
    0x86: lambda m: m.push(m.pop_many(2)),
    0x87: lambda m: m.push(m.pop_many(3)),
    ord("a"): _append,
    ord("e"): _appends,
    ord("s"): _set_item,
    ord("u"): _set_items,
    ord("b"): _build,
    ord("Q"): _persistent,
    ord("R"): _reduce,
}
