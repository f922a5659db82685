"""What says who the author is: names, e-mails, machines and folders, and the stand-ins for them.

A stand-in has as many characters, and as many bytes, as what it stands for: nothing moves in a binary file,
a table in a log keeps its columns, and a path in a pickle stays the path that the code opens.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterable, Iterator

from envfreeze.records.base import Record

SHORTEST = 3
"""Characters; shorter ones are everywhere, and are not looked for."""
_LETTERS = "anonymous"
_WIDE = {2: "öäüåéèñë", 3: "某甲乙丙丁戊己庚", 4: "𝔞𝔟𝔠𝔡𝔢𝔣𝔤𝔥"}
"""Stand-ins for characters by their bytes in UTF-8."""
_WORD = re.compile(r"[^\W_]+")


class Identity(Record):
    """One thing that gives the author away."""

    text: str
    what: str
    """What it is, in words: ``the user's name``."""
    anywhere: bool = True
    """Also inside of longer words; otherwise only where no letter stands beside it."""
    kept: frozenset[str] = frozenset()
    """Its words that tell nothing and stay, in lower case: ``home`` of ``/home/NAME``."""


class Spelling(Record):
    """One way to write an identity: words, and what stands between them."""

    identity: int
    """Index in the list of all."""
    words: tuple[str, ...]
    """In lower case."""
    loose: bool
    """Between the words may stand a few of the usual separators, or nothing; else exactly ``between``."""
    between: tuple[str, ...] = ()
    """What stands before, between and after the words, one more than words."""
    anywhere: bool = True
    kept: frozenset[str] = frozenset()

    @property
    def length(self) -> int:
        """Characters of the words and what must stand between them."""
        return sum(map(len, self.words)) + (0 if self.loose else sum(map(len, self.between)))


def words_of(text: str) -> tuple[str, ...]:
    """Its runs of letters and digits, in lower case."""
    return tuple(found[0].lower() for found in _WORD.finditer(text))


def spellings(identities: Iterable[Identity]) -> tuple[Spelling, ...]:
    """Every way that is looked for, the longest first, so that ``Jane Doe`` is taken before ``Jane``."""
    made: dict[tuple[object, ...], Spelling] = {}
    for number, identity in enumerate(identities):
        for spelling in _spellings(number, identity):
            key = (spelling.words, spelling.loose, spelling.between)
            known = made.get(key)
            if known is None or (spelling.anywhere and not known.anywhere):
                made[key] = spelling
    return tuple(sorted(made.values(), key=lambda one: (-one.length, one.words)))


def _spellings(number: int, identity: Identity) -> Iterator[Spelling]:
    texts = (identity.text, unicodedata.normalize("NFC", identity.text), _plain(identity.text))
    for text in dict.fromkeys(text.strip() for text in texts):
        words = words_of(text)
        if not words:
            continue
        between = tuple(part.lower() for part in re.split(r"[^\W_]+", text))
        make = functools.partial(Spelling, identity=number, anywhere=identity.anywhere, kept=identity.kept)
        is_name = len(words) > 1 and set("".join(between)) <= set(" .-'’,")
        yield make(words=words, loose=is_name, between=between)
        if is_name:  # Doe, Jane; J. Doe
            yield make(words=(words[-1], *words[:-1]), loose=True)
            initial, last = words[0][0], words[-1]
            if len(last) >= SHORTEST and len(words[0]) > 1:
                yield make(words=(initial, last), loose=False, between=("", ". ", ""), anywhere=False)
                yield make(words=(last, initial), loose=False, between=("", ", ", "."), anywhere=False)


def _plain(text: str) -> str:
    """Without accents, as user names and e-mails are made of names."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char))


class StandIns:
    """The stand-in of each word; the same word has the same one everywhere, and no two words share one."""

    def __init__(self, found: Iterable[Spelling]) -> None:
        self._words = {word for one in found for word in one.words}
        self._of: dict[str, str] = {}
        for word in sorted(self._words, key=lambda word: (-len(word), word)):
            if len(word) > 1:
                self._of[word] = self._new(word)

    def of(self, word: str) -> str:
        """The stand-in of a word; of an initial, that of any name."""
        return self._of.get(word) or _shaped(word, 0)

    def _new(self, word: str) -> str:
        taken = set(self._of.values())
        for number in range(5_000):
            made = _shaped(word, number)
            if made not in taken and not any(len(own) >= SHORTEST and own in made for own in self._words):
                return made
        return _shaped(word, 0)  # one or two characters: there are no more


def _shaped(word: str, number: int) -> str:
    """Letters for letters, zeros for digits and for hexadecimal numbers, counted up in the last places."""
    is_number = bool(re.fullmatch(r"(?=.*[0-9])[0-9a-f]+", word))
    chars = []
    for index, char in enumerate(word):
        size = len(char.encode())
        if size > 1:
            chars.append(_WIDE[size][number % 8] if index == len(word) - 1 else _WIDE[size][0])
        elif char.isdigit() or is_number:
            chars.append("0")
        else:
            chars.append(_LETTERS[index % len(_LETTERS)])
    for index in reversed(range(len(word))):
        if not number:
            break
        if len(word[index].encode()) > 1:
            number //= 8
        elif word[index].isdigit() or is_number:
            number, digit = divmod(number, 10)
            chars[index] = str(digit)
        else:
            number, letter = divmod(number, 26)
            chars[index] = chr(ord("a") + (ord(chars[index]) - ord("a") + letter) % 26)
    return "".join(chars)
