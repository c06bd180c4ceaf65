"""Write replies ahead on a server, while the player reads: a base.Branching engine.

Each branch is a request of its own, which is closed when a key is pressed and goes on from where it was with another.
Nothing of a cache is held here, so there is nothing to prepare, to prime or to refresh.
"""

from collections.abc import Generator, Iterator, Sequence
from typing import Any, Never

from msgspec.structs import replace

from advrepl.engines.base import Stats
from advrepl.engines.remote.completion import Completion
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.engines.remote.events import Event
from advrepl.engines.remote.identify import Server
from advrepl.engines.remote.tokens import RemoteTokens
from advrepl.engines.remote.wire import Interrupted, Wire
from advrepl.prompt.segments import Window
from advrepl.sampling.params import Sampling

LINE = 64  # tokens of a line of the player's, about


class RemoteBranching(RemoteEngine):
    """Play on a server that can write ahead: at once where it shares what the branches have in common, else in turn."""

    spare = 0  # what was moved is never read again beside it

    def __init__(self, wire: Wire, server: Server, tokens: RemoteTokens, n_ctx: int, branches: int) -> None:
        super().__init__(wire, server, tokens, n_ctx)
        self._most, self._live = branches, list[RemoteBranch]()
        self.branches, self._in_turn = branches, server.dialect.ahead == "in turn"
        self.reads_along = server.dialect.reads_along

    def cancel(self) -> None:
        """End what is being written, and hang up wherever something is written ahead."""
        super().cancel()
        for branch in tuple(self._live):
            branch.cancel()

    def prepare(self, window: Window) -> int:
        """Settle how many replies may be written: where several slots share a context, all must fit it at once.

        If they do not, a llama-server refuses every request, the player's own too.
        """
        self.stats, self.branches = Stats(), self._most
        self._live = [branch for branch in self._live if not branch.detached]
        if self._in_turn and self.server.slots > 1:
            reply = self.n_ctx - window.budget
            self.branches = min(self._most, 1 + self.n_ctx // (window.used + LINE + reply))
        return 0

    def branch(self) -> "RemoteBranch":
        """Return a branch; it asks the server for nothing before it is served."""
        branch = RemoteBranch(self)
        self._live.append(branch)
        return branch

    def prime(self, _: "RemoteBranch") -> Iterator[str]:
        """Prefill nothing."""
        return iter(())

    def branch_unshifted(self) -> Never:
        """Nothing is refreshed, as `spare` says."""
        raise NotImplementedError

    def refresh(self, _: "RemoteBranch") -> Never:
        """Nothing is refreshed, as `spare` says."""
        raise NotImplementedError

    def refresh_left(self, _: "RemoteBranch") -> Never:
        """Nothing is refreshed, as `spare` says."""
        raise NotImplementedError

    def adopt_refreshed(self, _: "RemoteBranch") -> Never:
        """Nothing is refreshed, as `spare` says."""
        raise NotImplementedError

    def enter(self, branch: "RemoteBranch") -> None:
        """Hang up for all others where the server would read the story once for each, or let this one wait."""
        for other in self._live if self._in_turn else ():
            if other is not branch:
                other.hang_up()

    def settle(self) -> None:
        """Do nothing: no branch is in a cache of ours."""

    def serve(self, branch: "RemoteBranch") -> bool:
        """Wait for what the branch's server says next; False if that was cancelled, and then it still waits."""
        return branch.serve()

    def clear_cancel(self) -> None:
        """Allow writing again after a `cancel`."""
        super().clear_cancel()
        for branch in self._live:
            branch.clear_cancel()

    def take(self, branch: "RemoteBranch") -> None:
        """Go on from where this branch is; it waits for itself from now on, and hears what cancels the engine."""
        branch.detach()
        self.token_cache = branch.token_cache

    def drop(self, branch: "RemoteBranch") -> None:
        """Hang up, and forget a branch."""
        branch.hang_up()
        if branch in self._live:
            self._live.remove(branch)


class RemoteBranch(RemoteEngine):
    """Write a reply that nobody has asked for yet."""

    n_own = 0
    cached: Sequence[int] = ()

    def __init__(self, engine: RemoteBranching) -> None:
        super().__init__(engine.wire, engine.server, engine.tokens, engine.n_ctx)
        self._engine, self.known, self.token_cache = engine, engine.known, engine.token_cache.copy()
        self.waiting: Sequence[int] = ()
        self.detached = False
        self._payload: dict[str, Any] = {}  # what is asked for when it is served
        self._source: Iterator[Event] | None = None  # the open request
        self._event: Event | None = None  # what the server has said; None: nothing more
        self._is_anew = False  # has another request been made since the last event?
        self.at_end = True  # no part of a reply is anything to a longer line

    @property
    def in_last_word(self) -> bool:
        """Tell whether it may be half a word that is read; it is not known which."""
        return self.at_end

    def read(self, window: Window) -> Iterator[str]:
        """Let the server read a prompt, so that it is in its cache; yields "" where it waits to be served."""
        self.at_end = False
        for piece in self.generate(window, Sampling(max_tokens=1, temperature=0.0)):
            if not piece:
                yield ""

    def serve(self) -> bool:
        """Wait for the next event, in this thread; False if that was cancelled."""
        while True:
            try:
                self._event = next(self._opened(), None)
                if self._event and self._event.progress and not self.detached:  # nobody looks at it
                    continue
            except Interrupted:
                self.hang_up()
                if self.cancelled:
                    return False
                continue  # by an earlier cancel, which was meant for another branch, or is over
            self.waiting = ()
            return True

    def detach(self) -> None:
        """Wait for itself from now on, and say what for."""
        self.detached, self.tell = True, self._engine.tell

    def hang_up(self) -> None:
        """Close the request that is open; another one goes on."""
        source, self._source, self._completion = self._source, None, None
        if source:
            self._is_anew = True
            source.close()  # type: ignore[attr-defined]

    def clear_cancel(self) -> None:
        """Allow writing again, unless everything is to pause."""
        if self.detached or not self._engine.cancelled:
            super().clear_cancel()

    def _opened(self) -> Iterator[Event]:
        if self._source is None:
            self._completion = Completion(self.wire, self._dialect, self._payload, self.tell, lambda: self.cancelled)
            self._source = self._completion.events()
        return self._source

    def _events(self, request: dict[str, Any]) -> Generator[Event | None, None, None]:
        """The events of the reply; None where it waits. After a key another request goes on behind what there is.

        Not under a grammar, which begins at its beginning: such a reply is handed on when it is whole.
        """
        held = bool(self._dialect.grammar and request.get(self._dialect.grammar[0]))
        self._payload, self._is_anew = request, False
        events, ids = list[Event](), list[int]()
        try:
            while event := (yield from self._served()):
                if self._is_anew:
                    self._is_anew = False
                    ids.clear()
                    events.clear()
                if event.progress is None:
                    ids += event.ids
                    event = replace(event, ids=tuple(ids) if event.text else ())
                if event.text:
                    ids.clear()
                if held:
                    events.append(event)
                    continue
                self._payload = self._behind(event)
                yield event
            yield from events
        finally:
            self.waiting = ()
            self.hang_up()

    def _served(self) -> Generator[None, None, Event | None]:
        """Wait to be served, or serve itself; return what the server said then."""
        self.waiting = (0,)
        while self.waiting:
            if not self.detached:
                yield None
            elif not self.serve():
                raise Interrupted
        return self._event

    def _behind(self, event: Event) -> dict[str, Any]:
        """The request that goes on behind an event."""
        request, limit = self._payload, self._dialect.limit
        if not event.text:
            return request
        told = request["prompt"]
        told = told + event.text if isinstance(told, str) else [*told, *event.ids]
        return request | {"prompt": told, limit: max(request[limit] - (len(event.ids) or 1), 1)}
