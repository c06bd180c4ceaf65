"""Play a model that is on a server: an Engine whose prompts are spelled and counted here, and written there.

The wire is in wire.py, what differs between servers in dialects.py.
"""

import hashlib
import random
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import takewhile
from typing import Any

from msgspec import Struct

from advrepl import AdvreplError
from advrepl.engines.base import PrefillProgress, Stats, until_stop
from advrepl.engines.kv.borders import Apart
from advrepl.engines.kv.reuse import common_prefix
from advrepl.engines.kv.tokens import MERGED, TokenCache
from advrepl.engines.llama.gbnf import parses
from advrepl.engines.remote.completion import Completion, Overflow, Tell
from advrepl.engines.remote.events import Event, Figures
from advrepl.engines.remote.grammar import fits
from advrepl.engines.remote.identify import Server
from advrepl.engines.remote.kept import KeptTokens
from advrepl.engines.remote.request import lacking, payload
from advrepl.engines.remote.tokens import RemoteTokens
from advrepl.engines.remote.wire import Interrupted, Wire
from advrepl.prompt.formats import of_file
from advrepl.prompt.segments import Segment, Window
from advrepl.sampling.params import Sampling
from advrepl.story.context import LARGER_CTX

UNKNOWN_SIZE = 7_000_000_000  # parameters of a model that does not say: large enough to do without help
LONGER_SERVER = "start the server with a longer context"


class Asked(Struct):
    """One request."""

    window: Window
    ids: list[int]  # of the prompt, and of the reply as far as it came; empty where text was sent


class Known(Struct):
    """What an engine and its branches know in common of a server that they ask in turn."""

    grammars: bool  # can it be held to one, as far as it is known by now?
    checked: bool = False  # has it held to one?
    last: Asked | None = None  # what its cache holds, and what a next request is compared with
    before: Asked | None = None
    shifted: bool = False  # does its cache hold tokens that were moved?
    afresh: bool = False  # is the next prompt to be read from its beginning?
    slot: int = -1  # of a server with several, in which it is; -1: not known
    lost: bool = False  # has another story been put into that slot?


class RemoteEngine(KeptTokens):
    """Continue text on a server. Has the methods of base.Engine; `tell` is told, in one line, what is waited for."""

    def __init__(self, wire: Wire, server: Server, tokens: RemoteTokens, n_ctx: int) -> None:
        super().__init__()
        self.wire, self.server, self.tokens = wire, server, tokens
        self.name, self.n_ctx = server.name, n_ctx
        self.more_room = LONGER_SERVER if n_ctx == server.n_ctx else LARGER_CTX
        self.n_params = server.n_params or UNKNOWN_SIZE
        self.template, self.text_borders = server.template, server.borders
        self.format_hint = of_file(None, server.template, (server.name, server.model))
        self.slide_to = server.dialect.slide_to
        kind = f"{server.dialect.name}\n{server.model}\n{server.n_params}"
        self.fingerprint = f"server-{hashlib.sha256(kind.encode()).hexdigest()[:32]}"
        self.stats, self.known = Stats(), Known(bool(server.dialect.grammar))
        self.tell: Tell = lambda _: None
        self._dialect = server.dialect
        self.token_cache = TokenCache(tokens.encode, lambda _: b"", Apart())
        self._was_slid = False
        self.busy = 0.0  # seconds that the server computed for the last request; 0: it does not say
        self._completion: Completion | None = None
        self.cancelled = False
        self._told: set[str] = set()

    @property
    def grammars(self) -> bool:
        """Tell whether the server can be held to a grammar; its first answer says so."""
        return self.known.grammars

    @property
    def shifted(self) -> bool:
        """Tell whether the server's cache holds tokens that were moved, as far as it can be known from here."""
        return self.known.shifted

    def count(self, segment: Segment) -> int:
        """Return how many tokens the segment takes, or about as many where nobody can say."""
        if self.tokens.takes_ids:
            return len(self.token_cache.tokens(segment))
        return self.tokens.count(segment)

    def sizes(self, segments: Sequence[Segment]) -> list[int]:
        """Return how many tokens each segment of a prompt takes."""
        self.tokens.expect(len(segments))
        return list(map(self.count, segments))

    def is_forgeable(self, mark: str) -> bool:
        """Tell whether foreign text that holds the mark is the same tokens as the mark itself, or may be."""
        encode = self.tokens.encode
        return not self.tokens.takes_ids or encode(Segment("", mark), False) == encode(Segment(mark, ""), False)

    def generate(
        self,
        window: Window,
        sampling: Sampling,
        *,
        stop: Iterable[str] = (),
        grammar: str | None = None,
        on_prefill: PrefillProgress | None = None,
    ) -> Iterator[str]:
        """Write what follows the window (base.Engine); raises AdvreplError with what to do where the server fails."""
        if grammar is not None and not self.grammars:
            raise ValueError("this engine has no grammars")
        self.stats, stops = Stats(stop="end"), tuple(stop)
        self.clear_cancel()
        if grammar is not None and not parses(grammar):
            raise AdvreplError("llama.cpp does not understand the grammar for the options")
        try:
            request = self._request(window, sampling, stops, grammar)
            with closing(self._pieces(request, on_prefill)) as pieces:
                whole = until_stop(pieces, stops)
                self.stats.stop = "stop"  # until the pieces end by themselves
                yield from whole if grammar is None or self.known.checked else self._check(whole, grammar)
        except Interrupted:
            self.stats.stop = "interrupted"
        except Overflow as overflow:
            if overflow.n_ctx and overflow.n_ctx < self.n_ctx:
                self.n_ctx, self.more_room = overflow.n_ctx, LONGER_SERVER
            raise

    def forget_moved(self) -> None:
        """Let a server that can be told so read the next prompt from its beginning."""
        self.known.afresh, self.known.shifted = True, False

    def cancel(self) -> None:
        """End the reply that is being written; from any thread, or a signal handler."""
        self.cancelled = True
        self.wire.cancel()
        if completion := self._completion:
            completion.interrupt()

    def clear_cancel(self) -> None:
        """Allow writing again after a `cancel`."""
        self.cancelled = False

    def close(self) -> None:
        """Hang up."""
        self.wire.close()

    def described(self) -> dict[str, str]:
        """Return what there is to know of the server, as rows of /context."""
        server = self.server
        slots = f", {server.slots} at a time" if server.slots > 1 else ""
        return {
            "server": f"{server.dialect.name} {server.version}".rstrip() + f" at {self.wire.address.root}{slots}",
            "tokens": self.tokens.how,
        }

    def follow(self, window: Window) -> None:
        """Take it that the server was asked for this window last, by a program that has ended."""
        if self._dialect.reuse:
            self.known.last = Asked(window, [])

    # --- the request

    def _request(self, window: Window, sampling: Sampling, stops: Sequence[str], grammar: str | None) -> dict[str, Any]:
        segments, stats = window.segments, self.stats
        ids: list[int] = []
        if self.tokens.takes_ids:
            parts = self.token_cache.parts(segments)
            opening = self.tokens.opening
            ids = [*(() if parts[0][: len(opening)] == opening else opening), *(i for part in parts for i in part)]
            self.token_cache.begin(segments)
        stats.prompt = len(ids) or sum(map(self.tokens.count, segments))
        if stats.prompt >= self.n_ctx:
            raise AdvreplError(f"{stats.prompt} tokens do not fit the server's context of {self.n_ctx}")
        biases = self._biases(sampling)
        if self.known.lost:
            self._change_slot()
        self._was_slid, known = self._slid(window), self.known
        known.before, known.last = known.last, Asked(window, ids)
        request = payload(
            self._dialect,
            self.server.model,
            ids or self.tokens.spelled(segments),
            sampling,
            n_ctx=self.n_ctx,
            stops=stops,
            grammar=grammar,
            biases=biases,
            slid=self._was_slid,
        )
        if self._dialect.ends:
            request[self._dialect.ends] = list(self.tokens.ends)
        if known.afresh and "cache_prompt" in request:
            request["cache_prompt"] = False
        known.afresh = False
        if self.server.slots > 1 and known.slot >= 0:
            # By itself the server takes the slot that begins most alike, which may be another player's.
            request["id_slot"] = known.slot
        return request

    def _change_slot(self) -> None:
        """Leave the slot to the other player who was put there, or both stories are read whole in every turn."""
        known = self.known
        known.slot = random.choice([slot for slot in range(self.server.slots) if slot != known.slot])
        known.last, known.lost = None, False

    def _biases(self, sampling: Sampling) -> dict[int, float]:
        """What is added for which token; says once what the server cannot do."""
        missing = lacking(self._dialect, sampling)
        biased = sampling.logit_bias if "logit_bias" not in missing else {}
        if biased and not self.tokens.knows_ids:
            missing, biased = [*missing, "logit_bias"], {}
        if new := sorted({*missing} - self._told):
            self._told.update(new)
            beside = " beside mirostat" if {*new} & {*self._dialect.off_with_mirostat} else ""
            self.tell(f"{self._dialect.name} has no {', '.join(new)}{beside}: the story goes on without")
        biases: dict[int, float] = {}
        for word, token in self.tokens.first_ids(biased).items():
            biases[token] = biases.get(token, 0.0) + biased[word]
        return biases

    def _slid(self, window: Window) -> bool:
        """Did the window drop turns since the last request, and is all the rest as it was?

        What was said is then moved in the server's cache. After an edit it must not be: it has seen what is gone.
        """
        if not (last := self.known.last):
            return False
        old, new = last.window.prompt, window.prompt
        gone = window.evicted - last.window.evicted
        if not 0 < gone < len(old.blocks) or old.head != new.head:
            return False
        kept = old.blocks[gone:]
        behind = new.blocks[len(kept) : len(kept) + 1]
        begun = str(old.cue[-1]) if old.cue else ""
        return new.blocks[: len(kept)] == kept and (not behind or str(behind[0][-1]).startswith(begun))

    # --- the reply

    def _pieces(self, request: dict[str, Any], on_prefill: PrefillProgress | None) -> Generator[str, None, None]:
        limit, pending, begun, told = int(request[self._dialect.limit]), list[int](), False, False
        events, event = self._events(request), None
        try:
            for event in events:
                if event is None:
                    yield ""
                    continue
                self.known.slot = event.slot if event.slot >= 0 else self.known.slot
                if event.progress and on_prefill and not begun:
                    on_prefill(*event.progress)
                pending += event.ids if event.progress is None else ()
                if event.text:
                    if on_prefill and not begun:
                        on_prefill(self.stats.prompt, self.stats.prompt)
                    begun = True
                    self._note(event.text, pending)
                    yield event.text
                    pending.clear()
                told |= event.figures is not None
                self._end(event, limit)
        finally:
            if not told:  # whoever reads has had enough before the server said what it cost
                self._cost(_figures_behind(event, events))
            events.close()
            self.stats.decoded = self.stats.prefilled + self.stats.generated

    def _events(self, request: dict[str, Any]) -> Generator[Event | None, None, None]:
        """The events of the reply; None where it has to wait to be served."""
        self._completion = Completion(self.wire, self._dialect, request, self.tell, lambda: self.cancelled)
        try:
            yield from self._completion.events()
        finally:
            self._completion = None

    def _note(self, text: str, ids: Sequence[int]) -> None:
        """Remember a piece with its tokens: the first one spells it, whatever part of it each stands for."""
        self.stats.generated += len(ids) or 1
        if self.known.last and self.tokens.takes_ids:
            self.known.last.ids += ids
            self.token_cache.sampled += [(token, b"" if i else text.encode()) for i, token in enumerate(ids)]

    def _end(self, event: Event, limit: int) -> None:
        stats = self.stats
        if event.finish:
            room = self.n_ctx - stats.prompt
            stats.stop = "context" if event.finish == "length" and room < limit else event.finish
        if event.figures:
            stats.generated, self.busy = event.figures.generated or stats.generated, event.figures.busy
            self._cost(event.figures)

    def _cost(self, figures: Figures | None) -> None:
        """Note what was read and what was there, as the server says, else as far as the prompt is the last one's."""
        stats, (asked, before) = self.stats, (self.known.last, self.known.before)
        assert asked
        head = sum(map(self.count, asked.window.prompt.head))
        kept = common_prefix(before.ids, asked.ids[: stats.prompt]) if before else 0
        if figures and self._dialect.tells_cache:
            stats.prompt = stats.prompt if asked.ids else figures.prompt or stats.prompt
            stats.reused = min(figures.cached, stats.prompt - 1)
            stats.shifted = max(stats.reused - max(kept, head), 0) if self._was_slid else 0
            goes_on = before is not None and len(before.ids) - kept <= MERGED
            self.known.lost = self.server.slots > 1 and goes_on and stats.reused < kept // 2
            self.known.shifted = (self.shifted or stats.shifted > 0) and stats.reused > head
        elif kept:
            stats.reused = min(kept, stats.prompt - 1)
        elif before:
            pairs = zip(before.window.segments, asked.window.segments, strict=False)
            same = takewhile(lambda pair: pair[0] == pair[1], pairs)
            stats.reused = min(sum(self.count(segment) for segment, _ in same), stats.prompt - 1)
        stats.whole = int(stats.reused < min(head, stats.prompt - 1))

    def _check(self, pieces: Iterator[str], grammar: str) -> Iterator[str]:
        """Hand a text on if it fits the grammar; if not, the server has none, and it is never sent one again."""
        text = ""
        for piece in pieces:
            text += piece
            if not piece:
                yield piece
        if text and not fits(text, grammar):
            self.known.grammars = False
            self.tell(f"{self._dialect.name} does not hold to a grammar: options are read from what the model writes")
            return
        self.known.checked = bool(text)
        yield text


def _figures_behind(last: Event | None, events: Iterator[Event | None]) -> Figures | None:
    """What a server says behind its last word, which was a stop text that is cut here; else nothing is waited for."""
    with suppress(Interrupted, AdvreplError):
        if last and last.finish and (behind := next(events, None)):
            return behind.figures
    return None
