"""One reply asked of a server: sent again while nothing of it has come, and never waited for without end.

Does not know what a prompt is made of (request.py) and does not count tokens (engine.py).
"""

import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

from advrepl import AdvreplError
from advrepl.engines.remote.dialects import Dialect
from advrepl.engines.remote.events import Event, read_event
from advrepl.engines.remote.identify import LOADING, OVERFLOW, why
from advrepl.engines.remote.wire import Gone, Interrupted, Refused, Silent, Stream, Wire

Tell = Callable[[str], None]

DELAYS = (0.0, 1.0, 2.0, 4.0, 8.0)  # seconds before a request is sent again; the first repeat is silent
BUSY = (429, 502, 503, 504)  # answers after which the same may go well
LONGEST_WAIT = 120.0  # seconds that a server may ask to wait
PATIENCE = 20.0  # seconds of silence, after which a line says so
AFTER_END = 1.0  # seconds that figures may take behind the last word
LONGEST_SILENCE = 900.0  # seconds; a long prompt on a slow machine is read without a word
# A reply that never ends: more events or characters than so many for each token that was asked for.
MOST_EVENTS, MOST_CHARACTERS, SLACK = 4, 64, 4096
MOST_BYTES, BYTES_A_TOKEN = 16 << 20, 8 << 10
GO_ON = "/retry asks again, /model FILE goes on with a model of this machine"


class Overflow(AdvreplError):
    """The prompt does not fit the context, which has `n_ctx` tokens as the server says; None: it does not say."""

    def __init__(self, said: str, n_ctx: int | None) -> None:
        super().__init__(said)
        self.n_ctx = n_ctx


class Completion:
    """A reply that comes event by event. `cancelled`: asked before anything is sent."""

    def __init__(
        self, wire: Wire, dialect: Dialect, payload: dict[str, Any], tell: Tell, cancelled: Callable[[], bool]
    ) -> None:
        self._wire, self._dialect, self._payload = wire, dialect, payload
        self._tell, self._cancelled = tell, cancelled
        self._tokens = int(payload[dialect.limit])
        self._stream: Stream | None = None
        self._begun = False  # has any text come?
        self._told = ""

    def interrupt(self) -> None:
        """Hang up, and let whoever reads the events get Interrupted behind those that are there."""
        if stream := self._stream:
            stream.interrupt()  # before what hanging up makes of the answer
            stream.close()

    def events(self) -> Iterator[Event]:
        """Yield the events of the reply; raises AdvreplError, with what to do, or Interrupted."""
        tries, busy_since = 0, time.monotonic()
        while True:
            if self._cancelled():
                raise Interrupted
            self._stream = self._wire.stream(
                self._dialect.path, self._payload, MOST_BYTES + BYTES_A_TOKEN * self._tokens
            )
            try:
                yield from self._read(self._stream)
                return
            except (Gone, Refused) as error:
                failure = error
            finally:
                self._stream.close()
            delay = self._delay(failure, tries, time.monotonic() - busy_since)
            if self._begun or delay is None:
                raise self._sentence(failure)
            tries += 1
            if delay:
                self._say(f"{self._wire.address.root}: {_short(failure)}: trying again")
                self._wire.wait(delay)

    def _read(self, stream: Stream) -> Iterator[Event]:
        events = characters = 0
        finished, most = False, self._tokens + SLACK
        while (data := self._after_end(stream) if finished else self._next(stream)) is not None:
            event = read_event(data, self._dialect.shape)
            if event is None:
                break
            events, characters = events + 1, characters + len(event.text)
            self._begun |= bool(event.text)
            yield event
            finished |= bool(event.finish)
            if finished and (event.figures or self._dialect.shape == "llama"):
                return
            if events > MOST_EVENTS * most or characters > MOST_CHARACTERS * most:
                yield Event(finish="length")
                return
        if not finished:
            raise Gone("it broke off") if self._begun else Refused(200, "")

    def _after_end(self, stream: Stream) -> str | None:
        """What comes once the reply is whole: figures, if anything. Nothing of it is worth waiting for."""
        try:
            return stream.next(AFTER_END)
        except (Silent, Gone):
            return None

    def _next(self, stream: Stream) -> str | None:
        silent = 0.0
        while silent < LONGEST_SILENCE:
            try:
                return stream.next(PATIENCE)
            except Silent:
                silent += PATIENCE
                self._say(f"{self._wire.address.root} has said nothing for {silent:.0f} seconds: Ctrl-C stops waiting")
        raise Gone("it has fallen silent")

    def _delay(self, failure: Gone | Refused, tries: int, waited: float) -> float | None:
        """Seconds until the same is sent again; None: it is not."""
        if isinstance(failure, Refused):
            if failure.status not in BUSY:
                return None
            if failure.retry_after:
                asked = _seconds(failure.retry_after)
                return asked if asked <= LONGEST_WAIT and waited < LOADING else None
            if failure.status == 503:
                return DELAYS[min(tries + 1, len(DELAYS) - 1)] if waited < LOADING else None
            tries += 1
        return DELAYS[tries] if tries < len(DELAYS) else None

    def _sentence(self, failure: Gone | Refused) -> AdvreplError:
        root = self._wire.address.root
        if isinstance(failure, Gone):
            if self._begun:
                return AdvreplError(
                    f"{root}: {failure} in the middle of the reply; what came of it is kept: /continue goes on, "
                    "/model FILE goes on with a model of this machine"
                )
            return AdvreplError(f"{root}: {failure}: {GO_ON}")
        if (overflow := _overflow(failure)) is not None:
            return overflow
        if failure.status == 200 and not failure.said:
            return AdvreplError(
                f"{root} answers with nothing, as servers do whose context is too short for the story: "
                f"give what it was started with, as --ctx 2048; {GO_ON}"
            )
        if self._begun:
            return AdvreplError(f"{root}: {failure.said}; what came of the reply is kept: /continue goes on")
        return AdvreplError(f"{root}: {why(failure)}; {GO_ON}")

    def _say(self, line: str) -> None:
        if line.partition(":")[2] != self._told:
            self._told = line.partition(":")[2]
            self._tell(line)


def told_context(refused: Refused) -> int | None:
    """Return how many tokens the context has, if a refusal says so."""
    error = refused.body.get("error") if isinstance(refused.body, dict) else None
    n_ctx = error.get("n_ctx") if isinstance(error, dict) else None
    if isinstance(n_ctx, int) and n_ctx > 0:
        return n_ctx
    found = OVERFLOW.search(refused.said)
    return int(found[1]) if found else None


def _overflow(refused: Refused) -> Overflow | None:
    n_ctx, said = told_context(refused), refused.said.casefold()
    if n_ctx is None and not ("context" in said and ("exceed" in said or "too long" in said or "at least" in said)):
        return None
    size = f"{n_ctx} tokens" if n_ctx else "fewer tokens than the story takes"
    return Overflow(f"the server's context has {size}: /retry asks again with less of the story", n_ctx)


def _short(failure: Gone | Refused) -> str:
    if isinstance(failure, Gone):
        return str(failure)
    return {503: "it is loading its model", 429: "it has too much to do"}.get(failure.status, f"error {failure.status}")


def _seconds(retry_after: str) -> float:
    """Read Retry-After: seconds, or a date."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(parsedate_to_datetime(retry_after).timestamp() - time.time(), 0.0)
    except (ValueError, OverflowError):
        return DELAYS[1]
