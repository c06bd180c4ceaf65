"""The tokens of segments for a model that is on a server: asked for there, or read from a file, or estimated.

Everything that was asked is remembered. Does not build requests (request.py).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Protocol

from advrepl import AdvreplError
from advrepl.engines.remote.dialects import Tokenizer
from advrepl.engines.remote.identify import Server
from advrepl.engines.remote.wire import Gone, Interrupted, Refused, Wire
from advrepl.engines.vocabulary import ENDS
from advrepl.prompt.segments import Segment

# Texts remembered, at least and for each segment of the longest prompt: its mark, its text, both behind a line's end.
# With fewer than a prompt has the server would be asked for all of them anew each time.
REMEMBERED, EACH = 8192, 4
# What may be a control token of any model: <|im_start|>, </s>, <start_of_turn>, [INST], and with fullwidth bars.
CONTROL = re.compile(r"<{1,2}/?[^<>\s]{1,40}>{1,2}|\[/?[A-Z_]{1,30}\]")
# Between the texts of one request: ids that no text is made of in this order.
BETWEEN = (0, 1, 0, 1)


class OwnTokenizer(Protocol):
    """A tokenizer of this machine."""

    def encode(self, segment: Segment, first: bool) -> tuple[int, ...]:
        """Return a segment's tokens."""


class RemoteTokens:
    """The tokens of a server's model. Raises AdvreplError where the server no longer tells."""

    def __init__(self, wire: Wire, server: Server, own: OwnTokenizer | None = None) -> None:
        """`own`: counts instead of the server where that has no tokenizer, or cannot say ids."""
        self._wire, self._own, self._known = wire, own, dict[tuple[str, bool], tuple[int, ...]]()
        self._tokenizer, self._begin_text = server.dialect.tokenizer, server.borders[0]
        self._counts: dict[Segment, int] = {}
        self._marks: dict[str, int] = {}  # how many tokens they take, which are few
        self._most = REMEMBERED
        self.takes_ids = server.dialect.takes_ids
        self.opening: tuple[int, ...] = self._opening() if self.takes_ids else ()
        self.ends = self._ending() if server.dialect.ends else ()
        self._line = self._ask("\n", False) if self.takes_ids and self._is_spaced() else ()

    @property
    def how(self) -> str:
        """Say how tokens are counted."""
        if self.takes_ids or (self._tokenizer and not self._own):
            return "counted by the server"
        return "counted by --tokenizer" if self._own else "estimated on the safe side, as the server does not count"

    @property
    def knows_ids(self) -> bool:
        """Tell whether the ids of tokens are known, so that a single one can be made likelier."""
        return bool(self._own or (self._tokenizer and self._tokenizer.answer))

    def expect(self, segments: int) -> None:
        """Remember the texts of a prompt of so many segments."""
        self._most = max(self._most, EACH * segments)

    def count(self, segment: Segment) -> int:
        """Return how many tokens a segment takes, or a number that is hardly ever too small."""
        found = self._counts.pop(segment, None)
        if found is None:
            found = self._counted(segment)
            if len(self._counts) >= self._most:
                del self._counts[next(iter(self._counts))]
        self._counts[segment] = found  # now the youngest
        return found

    def encode(self, segment: Segment, first: bool) -> tuple[int, ...]:
        """Return a segment's tokens: control tokens are found in its mark, and never in its text."""
        mark, opening = segment.mark, tuple[int, ...]()
        if first and self.opening and self._begin_text and mark.startswith(self._begin_text):
            mark, opening = mark.removeprefix(self._begin_text), self.opening
        if first:  # where SentencePiece puts a space before what is text
            mark_ids, text = self._ask(mark, not segment.plain), segment.text
            if not mark:
                return (*opening, *self._asked_apart(text))
            return (*opening, *mark_ids, *self._inner(text, False))
        return (*opening, *self._inner(mark, not segment.plain), *self._inner(segment.text, False))

    def spelled(self, segments: Sequence[Segment]) -> str:
        """Return a prompt as text, in which no foreign text is a control token; the server begins it."""
        marks = (CONTROL.sub(_parted, each.mark) if each.plain else each.mark for each in segments)
        text = "".join(mark + CONTROL.sub(_parted, each.text) for mark, each in zip(marks, segments, strict=True))
        return text.removeprefix(self._begin_text) if self._begin_text else text

    def first_ids(self, words: Iterable[str]) -> dict[str, int]:
        """Return the first token of each word, as far as ids are known."""
        words = tuple(words)
        if self._own:
            found = {word: self._own.encode(Segment("", word), False) for word in words}
        elif self.knows_ids:
            self._ask_many([word for word in words if (word, False) not in self._known])
            found = {word: self._inner(word, False) for word in words}
        else:
            return {}
        return {word: ids[0] for word, ids in found.items() if ids}

    # --- how

    def _counted(self, segment: Segment) -> int:
        if self.takes_ids:
            return len(self.encode(segment, False))
        if self._own:
            return len(self._own.encode(segment, False))
        if not self._tokenizer:
            return estimate(str(segment))
        if segment.mark not in self._marks:
            self._marks[segment.mark] = self._size(segment.mark)
        return self._marks[segment.mark] + self._size(segment.text)

    def _size(self, text: str) -> int:
        if not text:
            return 0
        if self._tokenizer and self._tokenizer.count:
            answer = self._post(self._tokenizer, {self._tokenizer.text: text, **self._tokenizer.extras})
            count = answer.get(self._tokenizer.count) if isinstance(answer, dict) else None
            return count if isinstance(count, int) and 0 <= count < 1 << 31 else estimate(text)
        return len(self._ask(text, True))

    def _inner(self, text: str, marks: bool) -> tuple[int, ...]:
        """The tokens of a text that stands inside a prompt, without the space that SentencePiece puts before each."""
        if not text:
            return ()
        if not self._line:
            return self._ask(text, marks) if marks else self._asked_apart(text)
        behind_line = self._ask("\n" + text, marks) if marks else self._asked_apart("\n" + text)
        size = len(self._line)
        return behind_line[size:] if behind_line[:size] == self._line else self._ask(text, marks)

    def _asked_apart(self, text: str) -> tuple[int, ...]:
        """The tokens of foreign text. Where a server finds control tokens in any, they are asked for in two parts."""
        if not self._tokenizer or self._tokenizer.in_marks:
            return self._ask(text, False)
        cuts = [found.start() + 1 for found in CONTROL.finditer(text)]
        parts = (text[a:b] for a, b in zip((0, *cuts), (*cuts, len(text)), strict=True))
        return tuple(token for part in parts for token in self._ask(part, False))

    def _ask(self, text: str, marks: bool) -> tuple[int, ...]:
        if not text:
            return ()
        found = self._known.pop((text, marks), None)
        if found is None:
            found = self._asked({}, text, marks)
        self._remember(text, marks, found)
        return found

    def _ask_many(self, words: Sequence[str]) -> None:
        """Ask for many words at once where that can be done; else they are asked for one by one."""
        if not (self._tokenizer and self._tokenizer.many) or self._line or len(words) < 2:
            return
        content: list[str | int] = []
        for word in words:
            content += [word, *BETWEEN]
        ids = self._asked({self._tokenizer.text: content}, "", False)
        groups, rest = list[tuple[int, ...]](), ids
        while rest:
            end = next((at for at in range(len(rest)) if rest[at : at + len(BETWEEN)] == BETWEEN), len(rest))
            groups.append(rest[:end])
            rest = rest[end + len(BETWEEN) :]
        if len(groups) == len(words):
            for word, group in zip(words, groups, strict=True):
                self._remember(word, False, group)

    def _remember(self, text: str, marks: bool, ids: tuple[int, ...]) -> None:
        self._known[text, marks] = ids
        if len(self._known) > self._most:
            del self._known[next(iter(self._known))]

    def _asked(self, given: dict[str, object], text: str, marks: bool) -> tuple[int, ...]:
        tokenizer = self._tokenizer
        assert tokenizer
        asked = {tokenizer.text: text, **tokenizer.extras, **given}
        if tokenizer.in_marks:
            asked[tokenizer.in_marks] = marks
        answer = self._post(tokenizer, asked)
        ids = answer.get(tokenizer.answer) if isinstance(answer, dict) else None
        if not isinstance(ids, list) or not all(isinstance(each, int) for each in ids):
            raise AdvreplError(f"{self._wire.address.root} does not tell the tokens of a text")
        return tuple(ids[1:] if tokenizer.begins else ids)

    def _post(self, tokenizer: Tokenizer, asked: dict[str, object]) -> object:
        try:
            return self._wire.post(tokenizer.path, asked)
        except Interrupted:
            raise AdvreplError("stopped while the server was asked how long the text is") from None
        except (Gone, Refused) as error:
            raise AdvreplError(
                f"{self._wire.address.root} no longer tells how long a text is ({error}): try again, "
                "or go on with a model of this machine: /model FILE"
            ) from None

    def _opening(self) -> tuple[int, ...]:
        if not self._tokenizer or not self._tokenizer.opening:
            return ()
        return self._asked({self._tokenizer.opening: True}, "", True)

    def _ending(self) -> tuple[int, ...]:
        """Return the control tokens by which models end what they say, of those that this one has."""
        found = (self._ask(end, True) for end in ENDS)
        return tuple(ids[0] for ids in found if len(ids) == 1)

    def _is_spaced(self) -> bool:
        """Does the server put a space before each text, as SentencePiece does at the beginning of a prompt?"""
        alone, behind = self._ask("x", False), self._ask("\nx", False)
        return behind[-len(alone) :] != alone


def estimate(text: str) -> int:
    """Return a number of tokens that hardly any text exceeds: one for three letters, and for each digit and sign.

    In other scripts than Latin one for each byte, as tokenizers have that do not know them.
    """
    letters = sum(char.isascii() and (char.isalpha() or char == " ") for char in text)
    return -(-letters // 3) + len(text.encode("utf-8", "replace")) - letters


def _parted(found: "re.Match[str]") -> str:
    return f"{found[0][0]} {found[0][1:]}"
