"""Addresses and keys: what is taken, what is refused, and where a key never goes."""

import sys
import types

import pytest

from advrepl import AdvreplError
from advrepl.engines.base import LoadOptions
from advrepl.engines.remote.address import Address, api_key, check_encrypted, is_address, read_address
from advrepl.engines.remote.opening import open_server
from tests.engines.remote import scripted_server as scripted
from tests.engines.remote.scripted_server import LLAMA, serving
from tests.engines.remote.test_faults import pieces_and_error


@pytest.mark.parametrize(
    ("spec", "root", "model"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
        ("http://localhost:8000/v1/", "http://localhost:8000", ""),
        ("https://play.example/api/v1#Pygmalion 2", "https://play.example/api", "Pygmalion 2"),
        ("http://[::1]:5001#a%20b", "http://[::1]:5001", "a b"),
    ],
)
def test_an_address(spec: str, root: str, model: str) -> None:
    assert is_address(spec)
    assert read_address(spec) == Address(root, model)
    assert read_address(str(read_address(spec))) == Address(root, model)


@pytest.mark.parametrize(
    "spec", ["http://", "http://host:99999", "http://host:x", "http://a b", "http://[::1", "http://host?key=1"]
)
def test_what_is_no_address(spec: str) -> None:
    with pytest.raises(AdvreplError, match="no address of a server: it is http://HOST:PORT"):
        read_address(spec)


def test_a_password_in_an_address_is_refused_and_not_shown() -> None:
    with pytest.raises(AdvreplError) as error:
        read_address("https://me:hunter2@host:8000")
    assert "hunter2" not in str(error.value)
    assert "ADVREPL_API_KEY" in str(error.value)


@pytest.mark.parametrize(
    ("spec", "insecure", "fine"),
    [
        ("http://127.0.0.5:80", False, True),
        ("http://localhost:80", False, True),
        ("http://[::1]:80", False, True),
        ("http://192.0.2.7:80", False, False),
        ("http://localhost.example:80", False, False),
        ("http://192.0.2.7:80", True, True),
        ("https://192.0.2.7", False, True),
    ],
)
def test_other_machines_are_spoken_to_in_secret_unless_told_otherwise(spec: str, insecure: bool, fine: bool) -> None:
    try:
        check_encrypted(read_address(spec), insecure)
    except AdvreplError as error:
        assert not fine
        assert "--insecure" in str(error)
    else:
        assert fine


def test_a_key_goes_to_the_server_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_API_KEY", "sk-secret")
    refused = scripted.refuses(401, {"error": {"message": "Invalid API Key", "type": "authentication_error"}})
    with serving(LLAMA, refused) as server:
        engine = open_server(read_address(server.url), LoadOptions(), lambda _: None)
        _, error = pieces_and_error(engine)
        engine.close()
    assert set(server.keys) == {"Bearer sk-secret"}
    assert "the server wants a key, or another one: put it into ADVREPL_API_KEY" in error
    assert "secret" not in error + str(engine.described()) + engine.fingerprint + engine.name


def test_a_key_from_the_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    keyring = types.ModuleType("keyring")
    keyring.get_password = lambda service, user: f"{service} {user}"  # type: ignore[attr-defined]
    keyring.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.delenv("ADVREPL_API_KEY", raising=False)
    assert api_key(Address("https://host")) == "advrepl https://host"
    monkeypatch.setenv("ADVREPL_API_KEY", "of the environment")
    assert api_key(Address("https://host")) == "of the environment"


def test_a_key_that_cannot_be_one_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVREPL_API_KEY", "schlüssel")
    with pytest.raises(AdvreplError) as error:
        api_key(Address("https://host"))
    assert "schl" not in str(error.value)
