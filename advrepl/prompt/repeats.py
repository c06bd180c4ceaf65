"""Notice a reply that repeats what was just said, while it is being written. Pure; works on words.

Does not decide what is done about it (writer.py), nor how long a run may be (`loop_guard` of sampling/params.py).
"""

from collections.abc import Iterable, Iterator

import regex

from advrepl.lazy_regex import lazy
from advrepl.scripts import WORD, ends_sentence, is_unspaced

# From this many words on a run is suspicious, and is held back, so that a repetition is never shown whole.
SUSPICIOUS = 4
# What one character of a script without spaces counts of a word; words have about two in Japanese, Chinese and Thai.
CHARACTER = 0.5

# A word counts once it is over, so it must have something behind it (not just an apostrophe: "don't").
_WORD = lazy(rf"{WORD}(?!['’]?\Z)")
# A line of a form: in brackets or a code block, or with bars between its parts, whatever emphasis is around it.
_EMPHASIS = r"[\s*_~>#]*"
_BARS = r"\s*[|｜¦┃│]\s*|\s+[·•∙]\s+"
_PICTURE = r"[[\p{Extended_Pictographic}]--[\p{N}#*©®™]]"
_FORM = lazy(
    rf"(?V1){_EMPHASIS}(?:\[.*\]|\{{.*\}}|<.*>|【.*】|〔.*〕|`.*`)?{_EMPHASIS}|.*\S(?:{_BARS})\S.*"
    rf"|{_EMPHASIS}{_PICTURE}.*{_PICTURE}.*|{_EMPHASIS}#\w+(?:\s+#\w+)+{_EMPHASIS}",
    flags=regex.DOTALL,
)
# What has several numbers in a line, and does not end as sentences do: `HP 10, gold 3, by the river`.
_NUMBERS = lazy(r".*\d\b\D*[^\d.,]\D*\d.*")
_LABELLED = lazy(rf"{_EMPHASIS}(?:[^\s\w]+\s*)?(?:{WORD}[ /_-]*){{1,4}}{_EMPHASIS}[:：=→].*")
LONGEST_LABEL_LINE = 16  # words of a line of a form that shows it by nothing but its missing end, as a date or a place


class Repeats:
    """The longest run of words at the end of a growing text that was said before. A step costs the new words only.

    What earlier texts said in the lines of a form, such as `[HP: 10 | Gold: 3]`, may be said again in each.
    """

    def __init__(self, earlier: Iterable[str]) -> None:
        self._said: list[list[str]] = []
        self._after: dict[tuple[str, ...], list[tuple[int, int]]] = {}  # four words -> (text, place of the next word)
        for text in earlier:
            self._said.append([])
            for word in _WORD.finditer(without_forms(text) + "\n"):
                self._remember(len(self._said) - 1, word[0].casefold())
        self._said.append([])  # the text that is being written
        self._read = 0
        self._matches: list[tuple[int, int]] = []
        self.run = 0.0

    def read(self, text: str) -> float:
        """Take in the text so far (it only ever grows) and return the length of the run at its end, in words."""
        for word in _WORD.finditer(text, self._read):
            self._read = word.end()
            self._step(word[0].casefold())
        return self.run

    def _step(self, word: str) -> None:
        words = self._said[-1]
        self._matches = [(t, i + 1) for t, i in self._matches if i < len(self._said[t]) and self._said[t][i] == word]
        if self._matches:
            self.run += _weight(word)
            self._remember(len(self._said) - 1, word)
            return
        last = (*words[1 - SUSPICIOUS :], word)
        found = self._after.get(last, [])
        self._matches, self.run = list(found), sum(map(_weight, last)) if found else 0.0
        self._remember(len(self._said) - 1, word)

    def _remember(self, text: int, word: str) -> None:
        words = self._said[text]
        words.append(word)
        if len(words) >= SUSPICIOUS:
            self._after.setdefault(tuple(words[-SUSPICIOUS:]), []).append((text, len(words)))


def _weight(word: str) -> float:
    return CHARACTER if is_unspaced(word) else 1.0


def without_forms(text: str) -> str:
    """Return the text without the lines of a form that comes again with every reply, as a card may ask for."""
    return "\n".join(_told(text.strip().split("\n")))


def _told(lines: list[str]) -> Iterator[str]:
    in_code = False
    for number, line in enumerate(lines):
        fence = line.lstrip().startswith(("```", "~~~"))
        in_code ^= fence
        if not (in_code or fence or _is_form(line, first=not number, last=number == len(lines) - 1)):
            yield line


def _is_form(line: str, first: bool, last: bool) -> bool:
    if _FORM.fullmatch(line):
        return True
    if first and last:
        return False
    whole = ends_sentence(line)
    if _LABELLED.fullmatch(line):  # a label before sentences in the midst of a reply is somebody who speaks
        return last or not whole
    if not whole and _NUMBERS.fullmatch(line):
        return True
    return not last and not whole and len(line.split()) <= LONGEST_LABEL_LINE and not is_unspaced(line)
