"""What a real server does on the wire, one rule of docs/servers.md each: python -m tests.servers.faults [NAME ...]

Each rule is a function that raises AssertionError; what it saw is printed.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from unittest.mock import patch

from msgspec.structs import replace

from advrepl import AdvreplError
from advrepl.engines import models
from advrepl.engines.base import LoadOptions
from advrepl.engines.remote import dialects
from advrepl.engines.remote.address import KEY, read_address
from advrepl.engines.remote.completion import Overflow
from advrepl.engines.remote.engine import RemoteEngine
from advrepl.engines.remote.opening import open_server
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling
from tests.servers import rules
from tests.servers.kinds import Running, kinds, started
from tests.servers.rules import Sent

SECRET = "sk-of-the-tests"
IN_A_ROW = 60  # requests, of which a pooled client lost 4 on llama-server
HEARD = 1.0  # seconds until a cancel is heard, on a busy machine
OPTIONS = 'root ::= " " ("yes" | "no") "\\n"'
MARK = "<|im_end|>"
STOPS = ("<|im_end|>", "\nYou: and then a long stop text")


def window(text: str, tokens: int = 400) -> Window:
    head = (Segment("<|im_start|>system\n", "You tell a story."), Segment("<|im_end|>\n", ""))
    turn = (Segment("<|im_start|>user\n", text), Segment("<|im_end|>\n", ""))
    return Window(Prompt(head, (turn,), (Segment("<|im_start|>assistant\n", ""),)), 0, 40, tokens)


def written(engine: RemoteEngine, text: str, seed: int = 1, tokens: int = 24, **how: object) -> list[str]:
    return list(engine.generate(window(text), Sampling(seed=seed, max_tokens=tokens), **how))  # type: ignore[arg-type]


def wants_its_key(engine: RemoteEngine, sent: Sent) -> str:
    with patch.dict(os.environ, {KEY: "sk-another"}):
        try:
            open_server(engine.wire.address, LoadOptions(), print).close()
        except AdvreplError as error:
            assert "the server wants a key" in str(error), error
            return str(error)
    raise AssertionError("another key is taken")


def says_the_same_with_the_same_seed(engine: RemoteEngine, sent: Sent) -> str:
    texts = ["".join(written(engine, "Where am I?", seed=5)) for _ in range(3)]
    assert texts[1] == texts[2], texts
    return texts[2]


def takes_no_mark_from_a_card(engine: RemoteEngine, sent: Sent) -> str:
    marks = len(engine.tokens.encode(Segment(MARK, ""), False))
    texts = len(engine.tokens.encode(Segment("", MARK), False))
    assert marks == 1 < texts or not engine.tokens.takes_ids
    return f"{MARK} as our mark: {marks} tokens, in foreign text: {texts}"


def tells_that_a_prompt_is_too_long(engine: RemoteEngine, sent: Sent) -> str:
    told, engine.n_ctx = engine.n_ctx, 1 << 20
    try:
        written(engine, "word " * (told + 300))
    except AdvreplError as error:
        assert isinstance(error, Overflow) or "answers with nothing" in str(error), error
        return f"{type(error).__name__}: {error}"
    finally:
        engine.n_ctx = told
    raise AssertionError("it took a prompt that is longer than its context")


def loses_none_of_many(engine: RemoteEngine, sent: Sent) -> str:
    sent.take()
    for number in range(IN_A_ROW):
        assert written(engine, "Yes?", seed=number, tokens=2)
    repeats = len(sent.take()) - IN_A_ROW
    assert repeats <= 1
    return f"{IN_A_ROW} requests in a row, {repeats} sent again"


def sends_pieces_at_once(engine: RemoteEngine, sent: Sent) -> str:
    pieces = written(engine, "Tell me of the sea.", tokens=32, stop=STOPS)
    assert len(pieces) > 8, pieces
    return f"{len(pieces)} pieces"


def stops_when_told(engine: RemoteEngine, sent: Sent) -> str:
    """A reply that is cancelled ends at once, and the next one does not wait for it."""
    for _ in engine.generate(window("Tell me of the sea, at length."), Sampling(seed=2, max_tokens=350)):
        threading.Thread(target=engine.cancel).start()
        asked = time.monotonic()
    heard, asked = time.monotonic() - asked, time.monotonic()
    assert engine.stats.stop == "interrupted"
    assert heard < HEARD, heard
    written(engine, "Yes?", tokens=2)
    return f"heard after {heard * 1000:.0f} ms, the next reply after {time.monotonic() - asked:.1f} s more"


def holds_to_a_grammar(engine: RemoteEngine, sent: Sent) -> str:
    sent.take()
    text = "".join(written(engine, "Is it dark?", grammar=OPTIONS, stop=("\n",)))
    assert text in (" yes", " no"), text
    assert engine.grammars
    return text


def ignores_the_field_of_others(engine: RemoteEngine, sent: Sent) -> str:
    """A server that ignores the field is found out by its first answer."""
    dialect = engine._dialect
    engine._dialect, engine.known.checked = replace(dialect, grammar=("guided_grammar",)), False
    try:
        text = "".join(written(engine, "Is it dark?", grammar=OPTIONS, stop=("\n",)))
        assert (text, engine.grammars) == ("", False), text
    finally:
        engine._dialect, engine.known.grammars = dialect, True
    return "found out"


def knows_what_it_had(engine: RemoteEngine, sent: Sent) -> str:
    text = "Tell me of the sea, and of all that is in it, the ships and the fish, the salt and the sand. " * 8
    figures = []
    for _ in range(2):
        written(engine, text, tokens=4)
        figures.append((engine.stats.prompt, engine.stats.reused))
    assert not engine.server.dialect.tells_cache or figures[1][1] > figures[1][0] // 2, figures
    return f"prompt and reused, twice the same: {figures}"


RULES: tuple[Callable[[RemoteEngine, Sent], str], ...] = (
    wants_its_key, takes_no_mark_from_a_card, says_the_same_with_the_same_seed, holds_to_a_grammar,
    ignores_the_field_of_others, sends_pieces_at_once, knows_what_it_had, stops_when_told, loses_none_of_many,
    tells_that_a_prompt_is_too_long,
)  # fmt: skip


def check(server: Running, name: str) -> list[str]:
    """Try every rule; return those that do not hold."""
    failed = []
    with rules.listening() as sent:
        engine = open_server(read_address(server.url), LoadOptions(None), print)
        for rule in RULES:
            if name == dialects.LLAMA_CPP_SERVER.name and rule is sends_pieces_at_once:
                continue
            try:
                print(f"{name} {rule.__name__}: {rule(engine, sent)}", flush=True)
            except (AssertionError, AdvreplError) as error:
                failed.append(rule.__name__)
                print(f"{name} {rule.__name__} FAILED: {type(error).__name__} {error}", flush=True)
        for request in sent.take():
            rules.check(request, engine.server.dialect)
        engine.close()
    return failed


def main() -> None:
    model = models.starter_model()
    assert model
    failed = list[str]()
    with ExitStack() as key:
        key.enter_context(patch.dict(os.environ, {KEY: SECRET}))
        for kind in kinds(model, 1024, 1):
            if kind.name in sys.argv[1:] or (not sys.argv[1:] and not kind.workers):
                with started(kind) as server:
                    failed += [f"{kind.name} {each}" for each in check(server, kind.name)]
    assert not failed, failed


if __name__ == "__main__":
    main()
