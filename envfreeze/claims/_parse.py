"""From the text of a claim to its parsed form, by recursive descent; the package's text has the grammar."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Literal, NamedTuple

from envfreeze.claims._expression import (
    Calculation,
    Comparing,
    Logic,
    Number,
    Numeric,
    Range,
    Reference,
    Truth,
)
from envfreeze.metrics._selector import SelectorError, Step, is_index, scan

MAX_LENGTH = 4000
MAX_DEPTH = 50


class ClaimError(ValueError):
    """The text is no claim; ``place`` is the offset of what is wrong in it."""

    def __init__(self, sentence: str, place: int) -> None:
        super().__init__(sentence)
        self.place = place


Kind = Literal["number", "word", "symbol", "file", "selector", "end"]


class Token(NamedTuple):
    kind: Kind
    text: str
    place: int
    steps: tuple[Step, ...] = ()


_WORDS = ("and", "or", "not", "in", "by", "within")
_FUNCTIONS = ("abs", "min", "max")
_FILE = re.compile(r'(?:"([^"]+)"|(<stdout>)|([\w./~@+-]+))\s*:(?!=)')
_NUMBER = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w/@.])")
_WORD = re.compile(rf"(?:{'|'.join(_WORDS + _FUNCTIONS)})(?![\w/@%+.=\[-])", re.IGNORECASE)
_SYMBOL = re.compile(r">=|<=|==|!=|~=|[-+*/()<>\[\],%]")


def parse(text: str) -> Truth:
    """The claim that the text is.

    Raises:
        ClaimError: it is none.
    """
    if len(text) > MAX_LENGTH:
        raise ClaimError(f"a claim is at most {MAX_LENGTH} characters long", MAX_LENGTH)
    return _Parser(_tokens(text)).whole()


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    place = 0
    while True:
        while place < len(text) and text[place].isspace():
            place += 1
        if place == len(text):
            return [*tokens, Token("end", "the end", place)]
        token, place = _token(text, place)
        tokens.append(token)


def _token(text: str, place: int) -> tuple[Token, int]:
    if match := _FILE.match(text, place):
        name = next(group for group in match.groups() if group is not None)
        return Token("file", name, place), match.end()
    row = is_index(text, place)  # [0] is a row; what stands between the brackets of a range has a comma
    for kind, pattern in (("number", _NUMBER), ("word", _WORD), ("symbol", _SYMBOL)):
        if not row and (match := pattern.match(text, place)):
            found = match[0].lower() if kind == "word" else match[0]
            return Token(kind, found, place), match.end()  # type: ignore[arg-type]
    try:
        steps, end = scan(text, place)
    except SelectorError as error:
        raise ClaimError(str(error), error.place) from None
    return Token("selector", text[place:end], place, steps), end


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.at, self.depth = tokens, 0, 0
        self.file: str | None = None

    @property
    def next(self) -> Token:
        return self.tokens[self.at]

    def take(self, *texts: str) -> Token | None:
        """The next token when it is one of these symbols or words."""
        token = self.next
        if token.kind in ("symbol", "word") and token.text in texts:
            self.at += 1
            return token
        return None

    def expect(self, *texts: str) -> Token:
        token = self.take(*texts)
        if token is None:
            raise self.wrong(" or ".join(repr(text) for text in texts))
        return token

    def wrong(self, wanted: str) -> ClaimError:
        found = self.next.text if self.next.kind == "end" else repr(self.next.text)
        return ClaimError(f"{wanted} was expected, and there is {found}", self.next.place)

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise ClaimError(f"nested deeper than {MAX_DEPTH} levels", self.next.place)

    def whole(self) -> Truth:
        found = self.claim()
        if self.next.kind != "end":
            raise self.wrong("'and', 'or' or the end")
        return found

    def claim(self) -> Truth:
        operands = [self.both()]
        while self.take("or"):
            operands.append(self.both())
        return operands[0] if len(operands) == 1 else Logic(operator="or", operands=tuple(operands))

    def both(self) -> Truth:
        operands = [self.one()]
        while self.take("and"):
            operands.append(self.one())
        return operands[0] if len(operands) == 1 else Logic(operator="and", operands=tuple(operands))

    def one(self) -> Truth:
        self.deeper()
        try:
            if self.take("not"):
                return Logic(operator="not", operands=(self.one(),))
            return self.in_brackets() or self.comparison()
        finally:
            self.depth -= 1

    def in_brackets(self) -> Truth | None:
        """``( claim )``; None when the bracket belongs to a sum, or to nothing."""
        start, file = self.at, self.file
        if not self.take("("):
            return None
        try:
            found = self.claim()
            self.expect(")")
        except ClaimError as error:
            if self.depth >= MAX_DEPTH:
                raise error
            found = None
        if found is None or self.next.text not in ("and", "or", ")", "the end"):
            self.at, self.file = start, file
            return None
        return found

    def comparison(self) -> Truth:
        left = self.sum()
        if self.take("in"):
            return self.range(left)
        if self.take("~="):
            right = self.sum()
            self.expect("within")
            return Comparing(operator="~=", left=left, right=right, margin=self.sum())
        operator = self.take(">", ">=", "<", "<=", "==", "!=")
        if operator is None:
            raise self.wrong("a comparison such as >= or 'in'")
        right = self.sum()
        margin = None
        if by := self.take("by"):
            if operator.text in ("==", "!="):
                raise ClaimError(f"'by' says nothing after {operator.text}; write ~= and within", by.place)
            margin = self.sum()
        return Comparing(operator=operator.text, left=left, right=right, margin=margin)  # type: ignore[arg-type]

    def range(self, value: Numeric) -> Range:
        first = self.expect("[", "(")
        low = self.sum()
        self.expect(",")
        high = self.sum()
        last = self.expect("]", ")")
        return Range(value=value, low=low, high=high, with_low=first.text == "[", with_high=last.text == "]")

    def sum(self) -> Numeric:
        left = self.product()
        while operator := self.take("+", "-"):
            left = Calculation(operator=operator.text, operands=(left, self.product()))  # type: ignore[arg-type]
        return left

    def product(self) -> Numeric:
        left = self.factor()
        while operator := self.take("*", "/"):
            left = Calculation(operator=operator.text, operands=(left, self.factor()))  # type: ignore[arg-type]
        return left

    def factor(self) -> Numeric:
        self.deeper()
        try:
            return self._factor()
        finally:
            self.depth -= 1

    def _factor(self) -> Numeric:
        if self.take("-"):
            return Calculation(operator="-", operands=(Number(value=Decimal(0)), self.factor()))
        if self.take("("):
            inner = self.sum()
            self.expect(")")
            return inner
        if function := self.take(*_FUNCTIONS):
            self.expect("(")
            operands = [self.sum()]
            while self.take(","):
                operands.append(self.sum())
            self.expect(")")
            if function.text == "abs" and len(operands) > 1:
                raise ClaimError("abs takes one number", function.place)
            return Calculation(operator=function.text, operands=tuple(operands))  # type: ignore[arg-type]
        if self.next.kind == "number":
            value = Decimal(self.next.text)
            self.at += 1
            return Number(value=value / 100 if self.take("%") else value)
        return self.reference()

    def reference(self) -> Reference:
        if self.next.kind == "file":
            self.file = self.next.text
            self.at += 1
        token = self.next
        if token.kind != "selector":
            raise self.wrong("a number or a name such as metrics.json:accuracy")
        if self.file is None:
            raise ClaimError(f"which file is {token.text} in? write file:{token.text}", token.place)
        self.at += 1
        return Reference(path=self.file, steps=token.steps)
