"""A story being played: what the player does and changes, and the replies that are written to it.

Does not print or read anything: the terminal passes in what the player said and shows the events that come out.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain
from typing import Any

import msgspec

from advrepl import AdvreplError
from advrepl.engines.base import Engine, OnServer, PrefillProgress, Stats
from advrepl.engines.kv.store import KvStore
from advrepl.engines.prefetch import Prefetcher
from advrepl.lore.timing import LoreState
from advrepl.play import thoughts
from advrepl.play.candidates import WriterEvent, candidates
from advrepl.play.events import Event, Note, Reply, Slid, reply_stats
from advrepl.play.inventory import Inventory
from advrepl.play.memory import Memory
from advrepl.play.planner import Planner, context_for
from advrepl.play.reply import Piece, ReplyTask, Written
from advrepl.play.so_far import ReplySoFar
from advrepl.play.state import NOT_KEPT, GameState, Told
from advrepl.play.writer import without_sign
from advrepl.prompt import options as menu
from advrepl.prompt.formats import Format
from advrepl.prompt.segments import Window
from advrepl.prompt.window import before_player
from advrepl.sampling.params import Sampling
from advrepl.story.save_file import SaveFile
from advrepl.story.saves import ModelRef, Save, with_scenario
from advrepl.story.tree import Turn


class Game(Told):
    """A story, the engine that writes it and the file it is kept in. Used by one thread; `cancel` by any."""

    def __init__(self, engine: Engine, format: Format, save: Save, file: SaveFile) -> None:
        self.engine, self.format, self.file = engine, format, file
        model = ModelRef(engine.name, engine.fingerprint, save.model.spec)
        self.state = GameState(msgspec.structs.replace(save, model=model, format=format.name))
        self.context = context_for(save, engine)
        self.state.save = self.context.reopened(self.state.save)
        self.planner = Planner(engine, format, self.state, self.context)
        self.kv_store: KvStore | None = None  # set by the session where the engine's cache can be put away
        self.prefetcher: Prefetcher[WriterEvent] | None = None  # set by the session where it can be done
        self.memory, self.inventory = Memory(), Inventory()
        self._asking = (self.inventory, self.memory)  # what the model is asked of while the player reads
        self.on_prefill: PrefillProgress | None = None  # set by the terminal to show progress
        self.tell: Callable[[str], None] = lambda _: None  # set by the terminal: a line on what is waited for
        self.switch: Callable[[str], str] | None = None  # set by the session: goes on with another model
        self.read_in_full = 0  # times that the whole prompt was fed
        self.last: Reply | None = None
        self._unplayed: Save | None = None  # the story as it opened, if it goes again so; any change is another save
        self.prefetch_start = 0  # the first block in the cache, as it was prepared for the next turn
        self._aside = 0  # tokens decoded for what was asked besides replies, since the last of them
        self._asks()

    # --- what can be asked

    @property
    def sampling(self) -> Sampling:
        """How the next reply is sampled."""
        return self.state.sampling

    @property
    def is_kept(self) -> bool:
        """Has anything been said or changed, or was the story there before?"""
        return self.state.save is not self._unplayed

    @property
    def waits_for_opening(self) -> bool:
        """Has nothing been said yet?"""
        return not self.story.turns

    def window(self) -> Window:
        """Return what the model is shown now; raises AdvreplError where that does not fit the context."""
        return self.planner.window()

    # --- what can be changed

    def change(self, save: Save) -> None:
        """Go on with this save, made from the present one, unless it leaves no room for the story in the context.

        Raises AdvreplError, and then nothing has changed; also where only the file could not be written.
        """
        with self.changing():
            self.state.save = save

    def set_sampling(self, sampling: Sampling) -> None:
        """Sample replies like this from now on; refused like any change."""
        self.change(msgspec.structs.replace(self.state.save, sampling=sampling.to_save()))

    def set_option_count(self, count: int) -> None:
        """Offer so many options after each reply (0: none); refused like any change."""
        self.change(with_scenario(self.state.save, options=count))

    def set_player(self, name: str, persona: str) -> None:
        """Give the player a name and a persona; a greeting that was not answered yet calls him by it."""
        greeted = self.greeted()
        with self.changing():
            self.state.save = self.context.with_player(self.state.save, name, persona)
            if greeted is not None:
                self.state.begin_with(self.scenario.greetings[greeted])

    def save(self) -> None:
        """Write the save file, which is kept from now on; raises AdvreplError."""
        self.file.write(self.state.save)
        self._unplayed = None

    def keep(self) -> str:
        """Write the save file and what the model has read."""
        self.save()
        return self.store_kv()

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Save what is changed meanwhile, or refuse it as `change` does."""
        with self.state.restored_on_error():
            yield
            self.planner.check()
            self.planner.check_note()
            self.window()
        if self.story.turns:
            self.save()

    # --- what the player does; each returns events as they happen

    def open(self) -> Iterator[Event]:
        """Begin a new story: its written opening, or the model's answer to the first words."""
        self._asks()
        scenario, unplayed = self.scenario, self._unplayed
        if scenario.start:
            self.state.add(Turn(None, "user", scenario.start))
        try:
            if scenario.opening and not (scenario.start and self.format.writes_opening):
                self.state.add(Turn(self.story.head, "model", scenario.opening))
                yield from self.told(scenario.opening)
            else:
                yield from self._reply(self.window())
        finally:
            self._unplayed = self.state.save if unplayed else None

    def act(self, text: str) -> Iterator[Event]:
        """Add a turn of the player, and the model's answer to it. `text` is said as it is, also if it is a number."""
        self._asks()
        planned = self.planner.player_turn(text)
        self.state.add(planned.turn)
        self.state.replace(lore_state=LoreState(), macro_values=planned.context.macro_values)  # now in the turn
        said = (*planned.context.notices, *self.planner.left_out(planned.window))
        yield from chain(self._kept(), map(Note, said))
        yield from self._reply(planned.window)

    def retry(self) -> Iterator[Event]:
        """Write the last reply again; the old one stays as a branch."""
        self._asks()
        before, last = self.story.head, self.story.last
        if last is None:
            raise AdvreplError("there is no reply to write again yet")
        if last.role == "model":
            if last.parent is None:
                others = "; /greeting offers others" if len(self.scenario.greetings) > 1 else ""
                raise AdvreplError(f"the story opens with these words, and nothing comes before them{others}")
            self.leave_branch()
            self.state.goto(last.parent)
        try:
            yield from self._reply(self.planner.window(self.prefetch_start))
        finally:
            if self.story.last and self.story.last.role == "user":  # stopped before the first word
                self.state.goto(before)

    def go_on(self) -> Iterator[Event]:
        """Let the model write more of its last reply."""
        self._asks()
        last = self.story.last
        if last is None:
            raise AdvreplError("there is no reply to continue yet")
        told = menu.parted(last.text, self.option_count)[0] if last.role == "model" else ""
        told = without_sign(told) if last.stop == "length" else told
        yield from self._reply(self.window(), told)

    def undo(self) -> str:
        """Take the last exchange back (it stays as a branch); returns what the player had said."""
        path, turns = self.story.path, self.story.turns
        place = next((i for i in range(len(path) - 1, -1, -1) if turns[path[i]].role == "user"), None)
        if place is None or place == 0:
            raise AdvreplError("this is where the story begins; there is nothing to take back")
        text = turns[path[place]].text
        self.leave_branch()
        self.state.goto(path[place - 1])
        self.state.replace(window_start=max(self.state.save.window_start, self.prefetch_start))
        self.save()
        return text

    def leave_branch(self) -> None:
        """Note where the window of what is read now begins, for when it is read again; the head moves next."""
        self.state.leave(max(self.state.save.window_start, self.prefetch_start))

    # --- while the player reads

    def start_prefetch(self) -> None:
        """Write what the player may ask for next, until `pause_prefetch`: he reads, and the engine is free."""
        if not self.prefetcher or not self.story.turns:
            return
        for each in self._asking:
            each.keep(self.state)
        try:
            window, jobs = candidates(self.planner, self.write)
            jobs += [job for each in self._asking for job in each.questions(self.planner, self.engine)]
        except AdvreplError:  # no turn fits any more; it is told when the player acts
            return
        self.cancelled = False
        if not self.state.save.played.exact:  # where nothing follows from how long the player reads
            self.prefetch_start = window.evicted
        self.read_in_full += self.prefetcher.plan(window, jobs)
        self.prefetcher.resume()

    def pause_prefetch(self, *, gently: bool = False) -> None:
        """Wait until the engine is free for something else; `gently`: for the line that the model has been reading."""
        if self.prefetcher:
            self.prefetcher.pause(gently=gently and not isinstance(self.engine, OnServer))
            for each in self._asking:
                each.collect(self.prefetcher.slots)

    def store_kv(self) -> str:
        """Put away what the model has read, so that resuming need not read it again; a line if that is not possible."""
        if not self.kv_store:
            return ""
        if self.prefetcher:
            self.prefetcher.settle()
        with suppress(AdvreplError):  # there is no room for the next turn: then there is no window to keep
            return self.kv_store.store(self.window())
        return ""

    def cancel(self) -> None:
        """End the reply that is being written; what there is of it is kept. From any thread, or a signal handler."""
        self.cancelled = True  # heard between two calls of the engine, which each begin afresh
        self.engine.cancel()

    def forget_unless_played(self) -> None:
        """Let a new story go again if the player leaves it as it is now, or as it opens."""
        self._unplayed = self.state.save

    def leave(self) -> str:
        """Save, or let the story go again, and return a line if it is not in its file; raises AdvreplError."""
        if self.is_kept:
            return self.file.write_or_rescue(self.state.save)
        if self.kv_store:
            self.kv_store.close()
        self.file.delete()
        return NOT_KEPT

    def close(self) -> None:
        """Leave, and give the file and the engine back."""
        try:
            if self.prefetcher:
                self.prefetcher.close()
            if not self.leave():
                self.store_kv()
        finally:
            if self.kv_store:
                self.kv_store.close()
            self.file.close()
            self.engine.close()

    def _kept(self) -> list[Note]:
        """Save, or go on without, as a turn does not wait for the disk; return what there is to say of it."""
        self._unplayed = None
        return [Note(line) for line in self.file.keep(self.state.save)]

    # --- one reply

    def told(self, text: str) -> Iterator[Event]:
        """Save a turn that nobody has to write, and show it."""
        self._asks()
        yield from self._kept()
        self.last = Reply(menu.parted(text, self.option_count)[0], self.options(), self._stats(None, 0))
        yield Piece(self.last.text)
        yield self.last

    def write(self, engine: Engine, task: ReplyTask) -> Iterator[WriterEvent]:
        """Answer a task on this engine, which may be a branch of the game's."""
        return thoughts.written(engine, task, self.on_prefill, lambda: self.cancelled)

    def _asks(self) -> None:
        self._asked, self.cancelled = time.perf_counter(), False

    def ask(self, window: Window, sampling: Sampling, stop: Iterable[str] = (), grammar: str | None = None) -> str:
        """Return what the model writes for something else than a reply, told as `aside` of the next one."""
        try:
            on_prefill = self.on_prefill
            return "".join(self.engine.generate(window, sampling, stop=stop, grammar=grammar, on_prefill=on_prefill))
        finally:
            self._aside += self.engine.stats.decoded
            self.read_in_full += self.engine.stats.whole

    def _reply(self, window: Window, prefix: str = "") -> Iterator[Event]:
        """Write an answer to the head, or a longer version of it that begins with `prefix`, and save it."""
        yield from self._slid(window)
        before = self.story.last if prefix else None
        parent = before.parent if before else self.story.head
        seed = self.planner.reply_seed(len(self.story.turns))
        so_far, notes = ReplySoFar(prefix, before, self._asked), list[Note]()
        task = self.planner.reply_task(self.story, window, seed, prefix)
        ready, events = self._begun(task)
        try:
            for event in events:
                so_far.take(event)
                if isinstance(event, Written):
                    break
                yield event
        finally:
            # Whatever ended the reply, the words that were shown are kept.
            if turn := so_far.turn(parent, seed):
                self.state.add_reply(turn, task.digest, window.evicted)
                notes = self._kept()
        yield from notes
        if written := so_far.written:
            self.planner.note_reply()
            self.read_in_full += written.stats.whole
            self.last = Reply(written.prose, written.options, self._stats(written, so_far.first, ready))
            yield self.last
            if self.kv_store:
                self.kv_store.replied(window, before_player(self.scenario, self.story), self.window)

    def _slid(self, window: Window) -> Iterator[Slid]:
        before = self.state.evicted()
        self.state.replace(window_start=window.evicted)
        if self.state.evicted() > before:
            yield Slid(self.state.evicted(), self.story.path_turns(self.state.evicted())[0].text)

    def _begun(self, task: ReplyTask) -> tuple[bool, Iterator[WriterEvent]]:
        """The events of a reply, and whether words of it were there before they were asked for."""
        if not (self.prefetcher and (taken := self.prefetcher.take(task))):
            return False, self.write(self.engine, task)
        return any(isinstance(event, Piece) for event in taken.done), chain(taken.done, taken.events)

    def _stats(self, written: Written | None, first: float, ready: bool = False) -> dict[str, Any]:
        cost = written.stats if written else Stats(stop="written")
        aside = self._aside + (self.prefetcher.spent() if self.prefetcher else 0) if written else 0
        self._aside = 0 if written else self._aside
        return reply_stats(cost, self.state.evicted(), first, time.perf_counter() - self._asked, ready, aside)

    def greeted(self) -> int | None:
        """Return which greeting the story stands at, if it has not gone on from there."""
        return self.context.greeting(self.state.save, self.story) if len(self.story) == 1 else None
