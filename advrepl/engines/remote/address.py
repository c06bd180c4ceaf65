"""Where a server is, as the player writes it, and the key that it may want.

Opens no connection (wire.py does).
"""

import os
from contextlib import suppress
from importlib.util import find_spec
from ipaddress import ip_address
from urllib.parse import quote, unquote, urlsplit

from msgspec import Struct

from advrepl import AdvreplError

SCHEMES = ("http://", "https://")
KEY = "ADVREPL_API_KEY"
FORM = "http://HOST:PORT, with #MODEL behind it if it has several"


class Address(Struct, frozen=True):
    """A server, and which of its models: "" if it has only one."""

    root: str  # as http://127.0.0.1:8080, without /v1 and without a slash at its end
    model: str = ""

    def __str__(self) -> str:
        return f"{self.root}#{quote(self.model, safe='/: @+')}" if self.model else self.root

    @property
    def host(self) -> str:
        """Return the name of the machine, or its number."""
        return urlsplit(self.root).hostname or ""

    @property
    def is_here(self) -> bool:
        """Tell whether this is the machine that the program runs on."""
        if self.host == "localhost":
            return True
        with suppress(ValueError):
            return ip_address(self.host).is_loopback
        return False


def is_address(spec: str) -> bool:
    """Tell whether a model was named by the address of a server."""
    return spec.casefold().startswith(SCHEMES)


def read_address(spec: str) -> Address:
    """Return the address that a text means; raises AdvreplError, which never quotes a password."""
    try:
        parts = urlsplit(spec)
        port = parts.port
    except ValueError:
        raise AdvreplError(f"this is no address of a server: it is {FORM}") from None
    if parts.username or parts.password:
        raise AdvreplError(f"an address holds no password, since it is kept in the save: put the key into {KEY}")
    if (
        not parts.hostname
        or port == 0
        or parts.query
        or not spec.partition("#")[0].isprintable()
        or " " in parts.netloc
    ):
        raise AdvreplError(f"{spec!r} is no address of a server: it is {FORM}")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/").removesuffix("/v1")
    return Address(f"{parts.scheme}://{host}{f':{port}' if port else ''}{path}", unquote(parts.fragment))


def check_encrypted(address: Address, insecure: bool) -> None:
    """Raise AdvreplError where a story would travel to another machine for anybody to read, unless told to."""
    if address.root.startswith("http://") and not address.is_here and not insecure:
        raise AdvreplError(
            f"{address.root} is another machine, and what is sent there by http can be read on the way: "
            "use https, or --insecure in a network that you trust"
        )


def api_key(address: Address) -> str:
    """Return the key for a server, from the environment or the system's keyring; "": there is none."""
    key = os.environ.get(KEY) or _from_keyring(address)
    if not (key.isascii() and key.isprintable()):
        raise AdvreplError(f"the key for {address.root} holds characters that no key has: look at {KEY}")
    return key.strip()


def _from_keyring(address: Address) -> str:
    if not find_spec("keyring"):
        return ""
    import keyring

    try:
        return keyring.get_password("advrepl", address.root) or ""
    except Exception:  # no keyring here, or it is locked: its backends raise what they like
        return ""
