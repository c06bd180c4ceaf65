"""Do banned phrases ever come, and what does it cost to keep them out? Run: python -m tests.bench.bans [--help].

Replies of the small model with a list of 500 phrases and without, in turn. The list: phrases that players call worn,
and words that the model itself writes, three in a row as they come by chance. With --hard: what it writes most, three
words in a row, so that nearly every reply comes to one of them. Times are those of the processor, so that it may run
beside other programs: 1,000 replies of 24 tokens take some ten minutes of it.
"""

import argparse
import collections
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from advrepl.engines.base import LoadOptions
from advrepl.engines.llama.engine import LlamaEngine
from advrepl.engines.llama.log import Log
from advrepl.engines.llama.model import LlamaModel
from advrepl.engines.models import resolve
from advrepl.play.reply import ReplyTask, Written
from advrepl.play.writer import Writer
from advrepl.prompt import bans
from advrepl.prompt.segments import Prompt, Segment, Window
from advrepl.sampling.params import Sampling

PHRASES = 500
EACH = 50  # replies, after which it is told how it stands
SAID = ("take the lantern", "look around", "open the door", "talk to the man", "climb the stairs", "wait", "run away")
WORN = (
    *("shivers down", "a testament to", "barely above a whisper", "ministrations", "eyes widened", "a mix of"),
    *("couldn't help but", "the air was thick", "sent shivers", "heart pounding", "let out a breath", "voice barely"),
    *("a sense of", "unbeknownst", "as if on cue", "for the first time", "deep breath", "whispers of", "tapestry of"),
    *("cacophony", "symphony of", "maybe, just maybe", "eyes gleaming", "hung heavy", "casting long shadows"),
)


def write(engine: LlamaEngine, number: int, tokens: int, banned: tuple[str, ...]) -> tuple[Written, float]:
    """Return the reply to one of many prompts, and the seconds of the processor that it took."""
    mark = "<|im_end|>\n<|im_start|>"
    told = Segment("<|im_start|>system\n", "You tell a dark fantasy story in the second person.")
    said = Segment(f"{mark}user\n", f"{SAID[number % len(SAID)]} ({number // len(SAID)})")
    window = Window(Prompt((told,), ((said,),), (Segment(f"{mark}assistant\n", ""),)), 0, 60, engine.n_ctx)
    task = ReplyTask(window, str, Sampling(max_tokens=tokens), 1000 + number, ("<|im_end|>",), bans=banned)
    began = time.process_time()
    *_, written = Writer(engine, task).write()
    assert isinstance(written, Written)
    return written, time.process_time() - began


def phrases(replies: list[str], hard: bool) -> tuple[str, ...]:
    """Return the list of phrases for a model that writes such replies."""
    words = [word.strip(".,!?\"'“”").casefold() for reply in replies for word in reply.split()]
    rows = [" ".join(words[at : at + 3]) for at in range(len(words) - 2)]
    if hard:
        return bans.added((), [row for row, _ in collections.Counter(rows).most_common(PHRASES)])
    return bans.added((), islice(_by_chance(sorted(set(words))), PHRASES))


def _by_chance(words: list[str]) -> Iterator[str]:
    rng = random.Random(1)
    yield from WORN
    while True:
        yield " ".join(rng.sample(words, 3))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-m", "--model")
    parser.add_argument("--replies", type=int, default=1000)
    parser.add_argument("--tokens", type=int, default=24, help="of a reply")
    parser.add_argument("--hard", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = LlamaModel(resolve(chosen.model), LoadOptions(1024, 1), Log(Path(folder) / "log"))
        engine = LlamaEngine(model)
        sample = [write(engine, number, chosen.tokens, ())[0].text for number in range(100)]
        banned = phrases(sample, chosen.hard)
        ratios, hits, without, stops = list[float](), 0, 0, collections.Counter[str]()
        for number in range(chosen.replies):
            write(engine, number, 1, ())  # both find the prompt in the cache
            (free, before), (held, after) = (write(engine, number, chosen.tokens, each) for each in ((), banned))
            ratios.append(after / before)
            hits, without = hits + bans.contains(held.text, banned), without + bans.contains(free.text, banned)
            stops[held.stats.stop] += 1
            if not len(ratios) % EACH or len(ratios) == chosen.replies:
                told = f"{len(banned)} phrases, {len(ratios)} replies of {chosen.tokens} tokens: a phrase in {hits}"
                ratio = f"median {statistics.median(ratios):.3f}, mean {statistics.mean(ratios):.3f}"
                print(
                    f"{told}, {without} without the list; processor time × {ratio}; ended by", dict(stops), flush=True
                )
        engine.close()


if __name__ == "__main__":
    main()
