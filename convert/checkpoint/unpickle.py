"""Read the pickles that torch.save writes for plain tensors, and nothing else.

A stack machine of its own over an allow-list of opcodes and names: no import, no attribute is looked up, nothing that
a file names is ever called. What torch means by the names is torch_objects.py's, where the bytes lie torch_file.py's.
"""

import struct
from collections.abc import Callable
from typing import Any

from convert import ConvertError
from convert.checkpoint.torch_objects import CALLS, STORAGE_TYPES, Global, storage_of
from convert.foreign import quote

# A 7B checkpoint's pickle is under 100 kB and its memo under 5,000 entries.
MAX_PICKLE = 4 << 20
MAX_STACK = 20_000
MAX_MEMO = 500_000

_MARK = object()


def unpickle(source: bytes, start: int = 0) -> tuple[Any, int]:
    """Read the pickle of `source` that begins at `start`: its value, and the position behind it.

    A value is built of dicts, lists, tuples, texts, numbers, None, Storage, View and Global; the tensors of a state
    dict are Views. All else is a ConvertError that does not name the file.
    """
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
    """The stack, the memo and the place in the pickle; all that a step cannot do is a ConvertError."""

    def __init__(self, source: bytes, start: int) -> None:
        self.source, self.position = source, start
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def take(self, count: int) -> bytes:
        """The next bytes of the pickle."""
        end = self.position + count
        if end > len(self.source):
            raise ConvertError("the pickle is cut off")
        taken = self.source[self.position : end]
        self.position = end
        return taken

    def number(self, form: str) -> int:
        """The next whole number, of a form that `struct` knows."""
        value: int = struct.unpack(form, self.take(struct.calcsize(form)))[0]
        return value

    def line(self) -> str:
        """The next text up to a newline."""
        end = self.source.find(b"\n", self.position, self.position + 256)
        if end < 0:
            raise ConvertError("the pickle names something longer than 255 characters")
        return decode_text(self.take(end + 1 - self.position)[:-1])

    def push(self, value: Any) -> None:
        """Put a value on the stack."""
        if len(self.stack) >= MAX_STACK:
            raise ConvertError(f"the pickle stacks more than {MAX_STACK:,} values")
        self.stack.append(value)

    def pop(self) -> Any:
        """The value on top of the stack."""
        if not self.stack or self.stack[-1] is _MARK:
            raise ConvertError("the pickle takes a value that is not there")
        return self.stack.pop()

    def pop_many(self, count: int) -> tuple[Any, ...]:
        """So many values off the stack, in the order they were put there."""
        return tuple(self.pop() for _ in range(count))[::-1]

    def pop_to_mark(self) -> list[Any]:
        """The values above the last mark, and the mark goes too."""
        for index in range(len(self.stack) - 1, -1, -1):
            if self.stack[index] is _MARK:
                taken = self.stack[index + 1 :]
                del self.stack[index:]
                return taken
        raise ConvertError("the pickle ends a group that never began")

    def remember(self, index: int) -> None:
        """Put the value on top into the memo as well."""
        if len(self.memo) >= MAX_MEMO:
            raise ConvertError(f"the pickle remembers more than {MAX_MEMO:,} values")
        value = self.pop()
        self.push(value)
        self.memo[index] = value

    def recall(self, index: int) -> None:
        """Push what the memo holds."""
        if index not in self.memo:
            raise ConvertError("the pickle recalls a value it never stored")
        self.push(self.memo[index])

    def result(self) -> Any:
        """The one value that is left at the end."""
        value = self.pop()
        if self.stack:
            raise ConvertError("the pickle leaves values behind")
        return value


def decode_text(raw: bytes) -> str:
    """Text in UTF-8; anything else is a ConvertError."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConvertError("the pickle holds text that is not UTF-8") from error


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
        return f"uses {quote(name)}, a kind of tensor that is not read here; save it again as safetensors"
    if name.split(".")[0] in ("torch", "transformers", "__torch__", "__main__"):
        return (
            f"holds the Python object {quote(name)}, so a whole model was pickled and not a plain dict of tensors; "
            "save it again with save_pretrained"
        )
    return f"asks to use {quote(name)}, which no file of weights needs; it could run a command and is not read"


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
            raise ConvertError(f"the name {quote(str(key))} occurs twice")
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


def _reduce(machine: _Machine) -> None:
    target, arguments = machine.pop_many(2)
    if type(target) is not Global or target.name not in CALLS or type(arguments) is not tuple:
        raise ConvertError("the pickle calls something that is no function of torch's")
    machine.push(CALLS[target.name](arguments))


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
    ord("X"): lambda m: m.push(decode_text(m.take(m.number("<I")))),
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
