"""HTTP with a server: short calls, and replies that come piece by piece, each of bounded size and time.

Does not know what is said over it (dialects.py) nor when to try again (completion.py). Each call runs in a thread of
its own: whoever waits for it hears a cancel at once, whatever the network does.
"""

import json
import socket
import ssl
import struct
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Any

import httpx
from httpx_sse import EventSource

from advrepl import AdvreplError
from advrepl.engines.remote.address import Address

CONNECT_TIMEOUT = 10.0  # seconds
SHORT_TIMEOUT = 30.0  # of a call that is answered in one go; a llama_cpp.server first ends the reply it is writing
MOST_ANSWER = 32 << 20  # bytes
MOST_ERROR = 1 << 16  # bytes of a refusal that are read
LINGER = "hh" if sys.platform == "win32" else "ii"  # the two numbers of C's struct linger
MOST_SHOWN = 200  # characters of what a server says that are shown


class Interrupted(Exception):
    """The player no longer waits."""


class Gone(Exception):
    """There is no server, or no more of its answer; the text says what happened."""


class Refused(Exception):
    """The server said no."""

    def __init__(self, status: int, said: str, retry_after: str = "", body: Any = None) -> None:
        super().__init__(said)
        self.status, self.said, self.retry_after, self.body = status, said, retry_after, body


class Silent(Exception):
    """Nothing came in the time that one waited."""


class Wire:
    """A server's address and key. To be used by one thread at a time, but for `cancel`."""

    def __init__(self, address: Address, key: str) -> None:
        self.address = address
        headers = {"Accept-Encoding": "identity", "User-Agent": "advrepl"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        # Without TLS no certificates are read, which takes longer than all else: a context that trusts nobody.
        encrypted = address.root.startswith("https://")
        verify = httpx.create_ssl_context() if encrypted else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        timeout = httpx.Timeout(SHORT_TIMEOUT, connect=CONNECT_TIMEOUT)
        # No redirects, as the key is for this server alone, and no proxy on the way to this machine itself.
        common: dict[str, Any] = {"headers": headers, "verify": verify, "trust_env": not address.is_here}
        self._pooled = httpx.Client(timeout=timeout, **common)
        # A llama-server closes after a stream what it says to keep open: each has a connection of its own.
        self._fresh = httpx.Client(
            timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT),
            limits=httpx.Limits(max_keepalive_connections=0),
            **common,
        )
        self._waiting: SimpleQueue[Any] | None = None

    def get(self, path: str) -> Any:
        """Return what a GET is answered with, as JSON; None: something else."""
        return self._call("GET", path, None)

    def post(self, path: str, payload: Any) -> Any:
        """Return what a POST is answered with, as JSON; None: something else."""
        return self._call("POST", path, payload)

    def stream(self, path: str, payload: Any, most: int) -> "Stream":
        """Ask for an answer that comes as events, of at most so many bytes."""
        return Stream(self._fresh, self.address.root + path, payload, most)

    def cancel(self) -> None:
        """Let the call that is waited for raise Interrupted."""
        if (waiting := self._waiting) is not None:
            waiting.put(Interrupted())

    def wait(self, seconds: float) -> None:
        """Let time pass; raises Interrupted as soon as there is a cancel."""
        with self._interruptible() as queue, suppress(Empty):
            _raised(queue.get(timeout=seconds))

    def close(self) -> None:
        """Close the connections."""
        self._pooled.close()
        self._fresh.close()

    def _call(self, method: str, path: str, payload: Any) -> Any:
        with self._interruptible() as queue:
            _in_thread(lambda: queue.put(self._outcome(method, path, payload)))
            try:
                return _raised(queue.get(timeout=SHORT_TIMEOUT + CONNECT_TIMEOUT))
            except Empty:
                raise Gone("it does not answer") from None

    def _outcome(self, method: str, path: str, payload: Any) -> Any:
        try:
            try:
                return self._answer(method, path, payload)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                return self._answer(method, path, payload)  # a pooled connection that the server has closed
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
            return Gone(_what_happened(error))
        except (Refused, Gone) as error:
            return error
        except RuntimeError:
            if not self._pooled.is_closed:
                raise
            return Gone("it was hung up")  # the program leaves, and nobody waits for it

    def _answer(self, method: str, path: str, payload: Any) -> Any:
        content, kind = _encoded(payload)
        with self._pooled.stream(method, self.address.root + path, content=content, headers=kind) as response:
            body = _body(response, MOST_ANSWER)
        if response.status_code != 200:
            raise _refusal(response, body)
        return _decoded(body)

    @contextmanager
    def _interruptible(self) -> Iterator["SimpleQueue[Any]"]:
        """Give a queue out of which a cancel comes."""
        before, queue = self._waiting, SimpleQueue[Any]()
        self._waiting = queue
        try:
            yield queue
        finally:
            self._waiting = before


class Stream:
    """An answer that comes event by event, read in a thread of its own."""

    def __init__(self, client: httpx.Client, url: str, payload: Any, most: int) -> None:
        self._client, self._url, self._payload, self._most = client, url, payload, most
        self._events: SimpleQueue[Any] = SimpleQueue()
        self._socket: Any = None
        self._closed = False
        _in_thread(self._read)

    def next(self, timeout: float) -> str | None:
        """Return the next event; None: the answer has ended. Raises Gone, Refused, Silent or Interrupted."""
        try:
            event: str | None = _raised(self._events.get(timeout=timeout))
        except Empty:
            raise Silent from None
        return event

    def interrupt(self) -> None:
        """Let `next` raise Interrupted."""
        self._events.put(Interrupted())

    def close(self) -> None:
        """Hang up, so that the server stops writing."""
        self._closed = True
        if self._socket is not None:
            with suppress(OSError):
                # Without a reset a server whose words nobody has taken waits for a minute before it knows.
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack(LINGER, 1, 0))
                self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self) -> None:
        try:
            content, kind = _encoded(self._payload)
            watch = {"trace": self._connected}
            with self._client.stream("POST", self._url, content=content, headers=kind, extensions=watch) as response:
                for event in self._answer(response):
                    if self._closed:
                        return
                    self._events.put(event)
            self._events.put(None)
        except (httpx.HTTPError, httpx.StreamError) as error:
            self._events.put(Gone(_what_happened(error)))
        except (Refused, Gone) as error:
            self._events.put(error)
        except Exception as error:  # whoever waits must hear of it, and nobody else does
            self._events.put(AdvreplError(f"the server's answer cannot be read: {type(error).__name__}"))

    def _answer(self, response: httpx.Response) -> Iterator[str]:
        if response.status_code != 200:
            raise _refusal(response, _body(response, MOST_ERROR))
        if "text/event-stream" not in response.headers.get("content-type", ""):
            body = _body(response, MOST_ERROR)
            said = said_of(_decoded(body))
            raise Refused(200, said, body=_decoded(body)) if said else Gone("what it sent is no reply")
        response.stream = _Bounded(response.stream, self._most)
        yield from (event.data for event in EventSource(response).iter_sse())

    def _connected(self, event: str, info: dict[str, Any]) -> None:
        """Note the socket, which nothing else tells before the answer has begun."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._socket = info["return_value"].get_extra_info("socket")
            if self._closed:
                self.close()


class _Bounded(httpx.SyncByteStream):
    """A body of which no more than so many bytes are read."""

    def __init__(self, stream: Any, most: int) -> None:
        self._stream, self._left = stream, most

    def __iter__(self) -> Iterator[bytes]:
        for part in self._stream:
            self._left -= len(part)
            if self._left < 0:
                raise Gone("it sends without end")
            yield part

    def close(self) -> None:
        self._stream.close()


def said_of(body: Any) -> str:
    """Return what an answer says of an error, in one line; "": it is none."""
    if not isinstance(body, dict):
        return ""
    error = body.get("error") or body.get("detail")
    if isinstance(error, dict):
        error = error.get("message") or error.get("msg") or error.get("type") or "an error"
    if isinstance(error, list):
        error = "; ".join(str(each.get("msg", "")) for each in error if isinstance(each, dict))
    return " ".join(str(error).split())[:MOST_SHOWN] if error else ""


def _refusal(response: httpx.Response, body: bytes) -> Refused:
    answer = _decoded(body)
    said = said_of(answer) or " ".join(body.decode("utf-8", "replace").split())[:MOST_SHOWN]
    return Refused(response.status_code, said, response.headers.get("retry-after", ""), answer)


def _body(response: httpx.Response, most: int) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise Gone("it answers in a compressed form that nobody asked for")
    body = bytearray()
    for part in response.iter_raw():
        body += part
        if len(body) > most:
            raise Gone("it sends without end")
    return bytes(body)


def _encoded(payload: Any) -> tuple[bytes | None, dict[str, str]]:
    if payload is None:
        return None, {}
    return json.dumps(payload).encode(), {"Content-Type": "application/json"}


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _what_happened(error: Exception) -> str:
    if isinstance(error, httpx.ConnectError):
        return "nothing answers there" if "CERTIFICATE" not in str(error) else "its certificate is not to be trusted"
    if isinstance(error, httpx.TimeoutException):
        return "it does not answer"
    return "it hung up"


def _raised(outcome: Any) -> Any:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="advrepl-server", daemon=True).start()
