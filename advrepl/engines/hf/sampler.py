"""Choose the next token with transformers' logits processors, in llama.cpp's order and with its meaning of each value.

Presence and frequency penalties, DRY, XTC and mirostat, which transformers does not have, are written out here after
their papers and llama.cpp's documentation. Everything behind the penalties sees the likely tokens only, on the CPU.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from transformers import (
    MinPLogitsWarper,
    RepetitionPenaltyLogitsProcessor,
    TopPLogitsWarper,
    TypicalLogitsWarper,
)

from advrepl import AdvreplError
from advrepl.engines.hf.vocab import Vocabulary
from advrepl.sampling.params import LOGIT_REACH, MIROSTAT_M, Sampling

FLOAT_MAX = 3.4e38
SMALL = 0.001  # in place of 0, which transformers refuses


class Sampler:
    """Choose the tokens of one reply; the same seed chooses the same ones. `prompt`: the tokens before the reply."""

    def __init__(self, vocab: Vocabulary, sampling: Sampling, prompt: Sequence[int]) -> None:
        self._vocab, self._s = vocab, sampling
        self._seen = list(prompt)
        self._dice = torch.Generator()
        if sampling.seed is None:
            self._dice.seed()
        else:
            self._dice.manual_seed(sampling.seed)
        self._biases = [(t[0], bias) for text, bias in sampling.logit_bias.items() if (t := vocab.plain(text))]
        self._cuts = _cuts(sampling)
        self._mu = 2 * sampling.mirostat_tau

    def pick(self, logits: Any) -> int:
        """Return the token to follow these logits, shaped (vocab.size,), and note it in the penalties.

        Raises AdvreplError where they are no numbers.
        """
        ids, chosen = self.choices(logits)
        if self._s.temperature <= 0:
            place = 0
        elif self._s.mirostat:
            place = self._mirostat(chosen)
        else:
            place = self._draw(chosen)
        token = int(ids[place])
        self._seen.append(token)
        return token

    def choices(self, logits: Any) -> tuple[Any, Any]:
        """Return the tokens to draw from, the likeliest first, and their logits at this temperature."""
        s, logits = self._s, self._penalized(logits.clone())
        if not torch.isfinite(logits.max()):
            raise AdvreplError("the model's logits are no numbers any more: its weights may be damaged")
        if s.temperature <= 0:
            return logits.argmax()[None], torch.zeros(1)
        if s.top_k > 0 and not s.mirostat:
            values, ids = logits.topk(min(s.top_k, len(logits)))
        else:
            ids = (logits >= logits.max() - LOGIT_REACH * max(s.temperature, 1.0)).nonzero()[:, 0]
            values, order = logits[ids].sort(descending=True)
            ids = ids[order]
        row = values.cpu()[None]
        if not s.mirostat:
            for cut in self._cuts:
                row = cut(None, row)
            row = self._without_top(row)
        return ids, row[0] / s.temperature

    def _penalized(self, logits: Any) -> Any:
        s, recent = self._s, self._seen[-self._s.repeat_last_n :] if self._s.repeat_last_n > 0 else []
        for token, bias in self._biases:
            logits[token] += bias
        if recent and s.repeat_penalty != 1:
            ids = torch.tensor([recent], device=logits.device)
            logits = RepetitionPenaltyLogitsProcessor(max(s.repeat_penalty, SMALL))(ids, logits[None])[0]
        if recent and (s.presence_penalty or s.frequency_penalty):
            ids, counts = torch.tensor(recent, device=logits.device).unique(return_counts=True)
            logits[ids] -= s.presence_penalty + s.frequency_penalty * counts
        if s.dry_multiplier > 0:
            for token, length in repeated(recent, self._vocab.breakers).items():
                if length >= s.dry_allowed_length:
                    logits[token] -= min(
                        s.dry_multiplier * s.dry_base ** min(length - s.dry_allowed_length, 1000), FLOAT_MAX
                    )
        return logits

    def _draw(self, logits: Any) -> int:
        return int(torch.multinomial(logits.softmax(0), 1, generator=self._dice))

    def _without_top(self, row: Any) -> Any:
        """XTC: now and then leave out every choice above the threshold but the least likely of them."""
        s = self._s
        if s.xtc_probability <= 0 or float(torch.rand((), generator=self._dice)) > s.xtc_probability:
            return row
        above = (row[0].softmax(0) >= s.xtc_threshold).nonzero()[:, 0]  # the likeliest first
        row[0, above[:-1]] = -math.inf
        return row

    def _mirostat(self, logits: Any) -> int:
        """Keep the surprise of the text, in bits per token, near tau (Basu et al. 2020, arXiv:2007.14966)."""
        s, chances = self._s, logits.softmax(0)
        if s.mirostat == 1:
            kept = _mirostat_kept(chances[:MIROSTAT_M], self._mu, self._vocab.size)
        else:
            kept = int((-chances.log2() <= self._mu).sum())
        rest = logits[: max(kept, 1)]
        place = self._draw(rest)
        self._mu -= s.mirostat_eta * (-float(rest.log_softmax(0)[place]) / math.log(2) - s.mirostat_tau)
        return place


def _cuts(s: Sampling) -> list[Any]:
    """Return the processors that leave tokens out, apart from top-k, which comes first, and XTC, which comes last."""
    cuts = (
        (s.typical_p < 1, lambda: TypicalLogitsWarper(max(s.typical_p, SMALL))),
        (s.top_p < 1, lambda: TopPLogitsWarper(float(s.top_p))),
        (s.min_p > 0, lambda: MinPLogitsWarper(float(s.min_p))),
    )
    return [make() for on, make in cuts if on]  # type: ignore[no-untyped-call]


def _mirostat_kept(chances: Any, mu: float, n_vocab: int) -> int:
    """Return how many of the likeliest tokens give a surprise of about mu, if chances fall as Zipf's law says."""
    ranks = torch.arange(1, len(chances), dtype=torch.float64)
    steps, falls = ((ranks + 1) / ranks).log(), (chances[:-1] / chances[1:]).double().log()
    slope = float((steps * falls).sum() / (steps * steps).sum()) if len(chances) > 1 else 1.0
    excess = slope - 1 or 1e-9
    size: float = excess * 2.0**mu / (1 - float(n_vocab) ** -excess)
    return max(int(size ** (1 / slope)), 1) if slope > 0 and size > 0 else len(chances)


def repeated(tokens: Sequence[int], breakers: frozenset[int]) -> dict[int, int]:
    """Return, for each token that followed an earlier occurrence of how the text ends now, how long that repetition is.

    `repeated([5, 6, 7, 9, 5, 6], frozenset()) == {7: 2}`. No repetition is followed beyond a breaker.
    """
    found: dict[int, int] = {}
    last = len(tokens) - 1
    for place in range(last):
        length = 0
        while length <= place and tokens[place - length] == tokens[last - length] not in breakers:
            length += 1
        if length:
            following = tokens[place + 1]
            found[following] = max(found.get(following, 0), length)
    return found
