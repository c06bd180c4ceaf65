"""The tokens of segments, remembered; and a reply keeps the tokens that it was sampled as.

Does not tokenize (a vocabulary does) and does not know a KV cache.
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import islice

from advrepl.engines.kv.borders import Apart, Borders, Encode, without
from advrepl.engines.kv.file import segments_digest
from advrepl.engines.kv.reuse import common_prefix, match_sampled
from advrepl.prompt.segments import Segment

# Segments remembered, at least and for each of the longest prompt: its tokens with and without a lead behind them, as
# many of what was written ahead. Fewer than a prompt has would all be found anew each time, and replies by their text.
REMEMBERED, EACH = 256, 4
MERGED = 4  # tokens at the end of a reply that may be others once something follows them

Key = tuple[Segment, bool, str]  # a segment without its lead, is it the first, and the lead that follows
PieceOf = Callable[[int], bytes]  # what a token spells


class TokenCache:
    """Remember which tokens segments are, for one sequence that is followed from window to window.

    `tokens` and what is stored know segments without their leads (borders.py).
    """

    def __init__(self, encode: Encode, piece: PieceOf, borders: Borders | Apart, *, keeps_sampled: bool = True) -> None:
        """`keeps_sampled`: does a reply keep the tokens that it was sampled as? Else its text alone tells them."""
        self._encode, self._piece, self._borders, self._keeps = encode, piece, borders, keeps_sampled
        # Arrays: as a tuple a token takes ten times as much, which a long run would feel.
        self._tokens: dict[Key, array[int]] = {}
        # The prompt that was asked for last, and what was found: the next one mostly has only more behind it.
        self._last: tuple[Sequence[Segment], list[Key], list[tuple[int, ...]]] = ((), [], [])
        self._digests: dict[tuple[Segment, bool], bytes] = {}  # of what was stored last
        self._most = REMEMBERED
        self._cue = Segment("", "")  # what the last reply followed
        # What the last reply was sampled as: tokens and the bytes they spell, in order. The generation loop appends.
        self.sampled: list[tuple[int, bytes]] = []
        self.stored: dict[bytes, tuple[int, ...]] = {}  # tokens of segments by their digest, out of a cache file

    def copy(self) -> "TokenCache":
        """Return one that goes its own way from here."""
        other = TokenCache(self._encode, self._piece, self._borders, keeps_sampled=self._keeps)
        other._tokens, other._last, other.stored = dict(self._tokens), self._last, self.stored
        other._digests = self._digests
        other._cue, other.sampled, other._most = self._cue, list(self.sampled), self._most
        return other

    def begin(self, segments: Sequence[Segment]) -> None:
        """Note that a reply begins behind these segments; `sampled` is empty then."""
        self._cue, _ = self._borders.split(segments, len(segments) - 1)[-1]
        self.sampled = []

    def parts(self, segments: Sequence[Segment]) -> list[tuple[int, ...]]:
        """Return the tokens of a prompt, by segment; together they are those of the prompt as one text."""
        self._most = max(self._most, EACH * len(segments))
        known, keys, found = self._last
        same = common_prefix(known, segments)
        if same < max(len(known), len(segments)):  # what follows the last of them may be another lead
            same = max(same - 1, 0)
        more = [(part, not i, tail) for i, (part, tail) in enumerate(self._borders.split(segments, same), same)]
        self._last = segments, [*keys[:same], *more], [*found[:same], *(self.tokens(*key) for key in more)]
        return self._last[2]

    def count(self, segment: Segment) -> int:
        """Return how many tokens a segment takes where nothing merges with it; a reply's tokens are remembered."""
        lead = self._borders.lead(segment)
        return len(self._encode(Segment("", lead), False)) + len(self.tokens(without(segment, lead)))

    def stores(self, segments: Sequence[Segment]) -> dict[bytes, tuple[int, ...]]:
        """Return what a cache file keeps for a prompt: the tokens of its segments, whatever follows them."""
        self.parts(segments)
        known, keys = self._digests, [(part, first) for part, first, _ in self._last[1]]
        self._digests = {key: known.get(key) or segments_digest(key[:1], key[1]) for key in keys}
        return {digest: self.tokens(*key) for key, digest in self._digests.items()}

    def tokens(self, segment: Segment, first: bool = False, tail: str = "") -> tuple[int, ...]:
        """Return the tokens of a segment without its lead, and of the lead that follows.

        `first`: it stands at the beginning of a prompt.
        """
        known = self._tokens.pop((segment, first, tail), None)
        if known is None:
            known = array("i", self._with_tail(segment, first, tail) if tail else self._found(segment, first))
            if len(self._tokens) >= self._most:
                self._forget_oldest()
        self._tokens[segment, first, tail] = known  # now the youngest
        return tuple(known)

    def _forget_oldest(self) -> None:
        """Make room, but not with what the last prompt is made of, although that is not looked up each time."""
        for key in self._last[1]:
            if (known := self._tokens.pop(key, None)) is not None:
                self._tokens[key] = known
        for key in list(islice(self._tokens, self._most // EACH)):
            del self._tokens[key]

    def _found(self, segment: Segment, first: bool) -> tuple[int, ...]:
        known = (self._as_sampled(segment) or self._as_stored(segment, first)) if self._keeps else None
        return known or self._encode(segment, first)

    def _with_tail(self, segment: Segment, first: bool, tail: str) -> tuple[int, ...]:
        alone = self.tokens(segment, first)
        if alone == self._encode(segment, first):
            return self._encode(Segment(segment.mark, segment.text + tail), first)
        return self._continued(alone, tail)

    def _continued(self, sampled: tuple[int, ...], text: str) -> tuple[int, ...]:
        """Return sampled tokens and the text behind them, with which the last of them merge as in a text that is one.

        They do if they are what that end of the text is split into by itself.
        """
        for count in range(min(MERGED, len(sampled)), 0, -1):
            end = b"".join(map(self._piece, sampled[-count:])).decode(errors="replace")
            if self._encode(Segment("", end), False) == sampled[-count:]:
                return (*sampled[:-count], *self._encode(Segment("", end + text), False))
        return (*sampled, *self._encode(Segment("", text), False))

    def _as_stored(self, segment: Segment, first: bool) -> tuple[int, ...] | None:
        return self.stored.get(segments_digest((segment,), first)) if self.stored else None

    def _as_sampled(self, segment: Segment) -> tuple[int, ...] | None:
        """Return the tokens that the model chose, if this segment is what it just wrote: they are cached already."""
        cue, sampled = self._cue, self.sampled
        if not sampled or segment.mark != cue.mark or not segment.text.startswith(cue.text):
            return None
        text = segment.text[len(cue.text) :].encode()
        count, covered = match_sampled(text, [piece for _, piece in sampled], fresh=not cue.text)
        if not count:
            return None
        written = tuple(token for token, _ in sampled[:count])
        rest = text[covered:].decode()
        return (*self.tokens(cue), *(self._continued(written, rest) if rest else written))
