"""A save under a passphrase: its bytes in an envelope that only the passphrase opens, and that tells a changed byte.

The key is derived once in a session (scrypt, RFC 7914) and kept in memory; each write takes a new nonce
(ChaCha20-Poly1305, RFC 8439). Does not know what is in a save (saves.py) and asks nobody (cli/passphrases.py).
"""

import hmac
import os
import unicodedata
from pathlib import Path
from typing import Annotated

import msgspec

from advrepl import AdvreplError, regular

NEWER = 1000  # the schema that older versions find in an envelope: they say that they are to be updated
BEGIN = b'{\n "encrypted": '
NONCE = 12  # bytes
COST = 1 << 17  # with 8 and 1: 128 MB, a third of a second
MOST_COST = 2 * 8 * COST  # of n, r and p together: what a file of somebody else's may ask for

_Bytes = Annotated[bytes, msgspec.Meta(min_length=8, max_length=64)]
_keys: dict["Lock", bytes] = {}  # of the locks that were opened in this session


class Lock(msgspec.Struct, frozen=True):
    """Say how a key follows from a passphrase, and how it is known to be the right one."""

    salt: _Bytes
    check: _Bytes  # half of what scrypt gives; the other half is the key
    n: Annotated[int, msgspec.Meta(ge=1 << 10, le=1 << 20)] = COST
    r: Annotated[int, msgspec.Meta(ge=1, le=16)] = 8
    p: Annotated[int, msgspec.Meta(ge=1, le=4)] = 1


class _Envelope(msgspec.Struct, frozen=True):
    encrypted: str
    schema: int
    lock: Lock
    nonce: Annotated[bytes, msgspec.Meta(min_length=NONCE, max_length=NONCE)]
    story: bytes


class Locked(AdvreplError):
    """A story whose passphrase is not known yet."""


def is_encrypted(data: bytes) -> bool:
    """Tell whether these bytes, or the first of them, are those of an encrypted story."""
    return data.startswith(BEGIN)


def is_encrypted_file(path: Path) -> bool:
    """Tell whether a file is an encrypted story."""
    try:
        with regular.opened(path) as file:
            return is_encrypted(file.read(len(BEGIN)))
    except OSError:
        return False


def new_lock(passphrase: str) -> Lock:
    """Return a lock that this passphrase opens; it is open in this session."""
    lock = Lock(salt=os.urandom(16), check=bytes(32), n=COST)
    key, check = _derived(lock, passphrase)
    lock = msgspec.structs.replace(lock, check=check)
    _keys[lock] = key
    return lock


def unlock(path: Path, passphrase: str) -> None:
    """Open the lock of an encrypted story for this session; raises AdvreplError for a wrong passphrase."""
    lock = _envelope(regular.read(path), path.name).lock
    key, check = _derived(lock, passphrase)
    if not hmac.compare_digest(check, lock.check):
        raise AdvreplError(f"the passphrase does not open {path.name}: try again, or its first lines were changed")
    _keys[lock] = key


def is_open(path: Path) -> bool:
    """Tell whether the passphrase of an encrypted story is known."""
    try:
        return _envelope(regular.read(path), path.name).lock in _keys
    except (OSError, AdvreplError):
        return False


def sealed(data: bytes, lock: Lock) -> bytes:
    """Return the envelope of these bytes."""
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    nonce = os.urandom(NONCE)
    story = ChaCha20Poly1305(_keys[lock]).encrypt(nonce, data, _clear(lock))
    envelope = _Envelope("scrypt and ChaCha20-Poly1305", NEWER, lock, nonce, story)
    return msgspec.json.format(msgspec.json.encode(envelope), indent=1)


def opened(data: bytes, source: str) -> tuple[bytes, Lock]:
    """Return what is in an envelope, and its lock; raises Locked, and AdvreplError for what was changed."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

    envelope = _envelope(data, source)
    lock = envelope.lock
    if lock not in _keys:
        raise Locked(f"{source} is encrypted, and its passphrase was not given")
    try:
        return ChaCha20Poly1305(_keys[lock]).decrypt(envelope.nonce, envelope.story, _clear(lock)), lock
    except InvalidTag:
        raise AdvreplError(f"{source} is damaged: it is not what was encrypted") from None


def _envelope(data: bytes, source: str) -> _Envelope:
    try:
        return msgspec.json.decode(data, type=_Envelope)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise AdvreplError(f"{source} is damaged: {error}") from error


def _clear(lock: Lock) -> bytes:
    """What stands in the clear and is vouched for."""
    return msgspec.json.encode((NEWER, lock))


def _derived(lock: Lock, passphrase: str) -> tuple[bytes, bytes]:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    if not passphrase:
        raise AdvreplError("a passphrase cannot be empty")
    if lock.n & (lock.n - 1) or lock.n * lock.r * lock.p > MOST_COST:
        raise AdvreplError("the story is damaged: its lock is none that advrepl makes")
    said = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogateescape")
    derived = Scrypt(salt=lock.salt, length=64, n=lock.n, r=lock.r, p=lock.p).derive(said)
    return derived[:32], derived[32:]
