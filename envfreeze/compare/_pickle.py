"""Pickles read without unpickling: the opcodes build inert records, and nothing is imported or called.

The opcodes are those of ``pickletools`` (PEP 307, 3154, 574). A global is its name; a call is an
``Object`` with the called name and its arguments. Arrays of numpy and joblib are seen as such.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from typing import IO, Any

from envfreeze.compare import NotThisKind
from envfreeze.compare._tree import Blob, Number, Object, Unordered, Value, brief

MAX_OPCODES = 5_000_000
"""Of one pickle; a second's work for each half million."""


class Name(str):
    """What a pickle would import."""


class Tuple(list[Any]):
    """A tuple: its type counts."""


class Real(Number):
    """A float, told from an integer of the same value."""


Call = Callable[[str, list[Any], "Machine"], Value]
Build = Callable[[Object, Value, "Machine"], bool]
_MARK = object()
"""On the stack."""
_SETS = ("builtins.set", "builtins.frozenset")
_BYTES = ("builtins.bytearray", "builtins.bytes")


class Stream:
    """A file that never gives more than is left in it, whatever a length in it claims."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self.file, self.size = file, size

    def read(self, count: int = -1) -> bytes:
        left = self.size - self.file.tell()
        return self.file.read(left if count < 0 else min(count, left))

    def readline(self) -> bytes:
        return self.file.readline(1 << 20)

    def tell(self) -> int:
        return self.file.tell()


class Machine:
    """One pickle of a stream.

    Args:
        stream: at the start of a pickle; afterwards behind it.
        call: makes a value of a name and its arguments; None is its way to leave that to the machine.
        build: takes the state of an object; True when that was all.
        persistent: makes a value of what stands for something outside of the pickle.
    """

    def __init__(
        self,
        stream: Stream,
        *,
        call: Call | None = None,
        build: Build | None = None,
        persistent: Callable[[Value], Value] | None = None,
    ) -> None:
        self.stream = stream
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._caller, self._builder, self._persistent = call, build, persistent

    def run(self) -> Value:
        """The value.

        Raises:
            NotThisKind: damaged, too long, or with something in it that only a running program has.
        """
        count = 0
        try:
            for opcode, argument, _ in pickletools.genops(self.stream):  # type: ignore[arg-type]
                count += 1
                if count > MAX_OPCODES:
                    raise NotThisKind(f"it has more than {MAX_OPCODES} opcodes")
                if opcode.name == "STOP":
                    return self.stack.pop()
                self._step(opcode.name, argument)
        except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotThisKind(f"a damaged pickle ({type(error).__name__}: {error})") from None
        raise NotThisKind("a damaged pickle (it has no end)")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in ("PROTO", "FRAME", "READONLY_BUFFER"):
            return
        if name in _CONSTANTS:
            stack.append(_CONSTANTS[name]())
        elif name in _NUMBERS:
            stack.append(argument if isinstance(argument, bool) else integer(argument))
        elif name in ("BINFLOAT", "FLOAT"):
            stack.append(Real(repr(argument)))
        elif name in ("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"):
            stack.append(Blob(bytes(argument)))
        elif "UNICODE" in name or "STRING" in name:
            stack.append(argument if isinstance(argument, str) else argument.decode("latin-1"))
        elif name in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
            self.memo[len(self.memo) if argument is None else argument] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[argument])
        else:
            getattr(self, f"_{name.lower()}")(argument)

    def _until_mark(self) -> list[Any]:
        place = len(self.stack) - 1
        while self.stack[place] is not _MARK:
            place -= 1
            if place < 0:
                raise ValueError("no mark")
        items = self.stack[place + 1 :]
        del self.stack[place:]
        return items

    def _mark(self, _: Any) -> None:
        self.stack.append(_MARK)

    def _pop(self, _: Any) -> None:
        self.stack.pop()

    def _pop_mark(self, _: Any) -> None:
        self._until_mark()

    def _dup(self, _: Any) -> None:
        self.stack.append(self.stack[-1])

    def _list(self, _: Any) -> None:
        self.stack.append(self._until_mark())

    def _tuple(self, _: Any) -> None:
        self.stack.append(Tuple(self._until_mark()))

    def _dict(self, _: Any) -> None:
        items = self._until_mark()
        self.stack.append({})
        self._set(items)

    def _frozenset(self, _: Any) -> None:
        self.stack.append(Unordered(self._until_mark()))

    def _tuple1(self, _: Any) -> None:
        self._last_as_tuple(1)

    def _tuple2(self, _: Any) -> None:
        self._last_as_tuple(2)

    def _tuple3(self, _: Any) -> None:
        self._last_as_tuple(3)

    def _last_as_tuple(self, count: int) -> None:
        self.stack[-count:] = [Tuple(self.stack[-count:])]

    def _append(self, _: Any) -> None:
        self._extend([self.stack.pop()])

    def _appends(self, _: Any) -> None:
        self._extend(self._until_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, Object):
            target = target.parts.setdefault("items", [])
        target.extend(items)

    def _additems(self, _: Any) -> None:
        items = self._until_mark()
        self.stack[-1].items.extend(items)

    def _setitem(self, _: Any) -> None:
        items = self.stack[-2:]
        del self.stack[-2:]
        self._set(items)

    def _setitems(self, _: Any) -> None:
        self._set(self._until_mark())

    def _set(self, items: list[Any]) -> None:
        target = self.stack[-1]
        plain = not isinstance(target, Object) or target.ordered
        parts = target.parts if isinstance(target, Object) else target
        for key, value in zip(items[::2], items[1::2], strict=True):
            text = key_text(key)
            text = text if plain else f"[{text}]"
            while text in parts:
                text += "'"
            parts[text] = value

    def _global(self, argument: str) -> None:
        self.stack.append(_name(*argument.split(" ", 1)))

    def _stack_global(self, _: Any) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.stack.append(_name(str(module), str(name)))

    def _ext1(self, argument: Any) -> None:
        self.stack.append(Name(f"extension {argument}"))

    _ext2 = _ext4 = _ext1

    def _reduce(self, _: Any) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        self.stack.append(self._called(function, arguments))

    def _newobj(self, _: Any) -> None:
        self._reduce(None)

    def _newobj_ex(self, _: Any) -> None:
        keywords = self.stack.pop()
        self._reduce(None)
        if keywords and isinstance(self.stack[-1], Object):
            self.stack[-1].parts["keywords"] = keywords

    def _inst(self, argument: str) -> None:
        self.stack.append(self._called(_name(*argument.split(" ", 1)), self._until_mark()))

    def _obj(self, _: Any) -> None:
        kind, *arguments = self._until_mark()
        self.stack.append(self._called(kind, arguments))

    def _persid(self, argument: Any) -> None:
        self.stack.append(self._outside(argument))

    def _binpersid(self, _: Any) -> None:
        self.stack.append(self._outside(self.stack.pop()))

    def _outside(self, value: Value) -> Value:
        return self._persistent(value) if self._persistent else Object("something outside", {"": value})

    def _next_buffer(self, _: Any) -> None:
        raise NotThisKind("its data lies in a buffer outside of the pickle")

    def _called(self, function: Value, arguments: list[Any]) -> Value:
        kind = function if isinstance(function, str) else brief(function)
        if not isinstance(arguments, list):
            raise ValueError("arguments that are no tuple")
        if self._caller is not None:
            made = self._caller(kind, arguments, self)
            if made is not None:
                return made
        if kind in _SETS:
            return Unordered(list(arguments[0]) if arguments and isinstance(arguments[0], list) else [])
        if kind == "_codecs.encode" and arguments and isinstance(arguments[0], str):
            return Blob(arguments[0].encode("latin-1", "surrogateescape"))
        if kind in _BYTES and (not arguments or isinstance(arguments[0], Blob)):
            return arguments[0] if arguments else Blob(b"")
        if kind == "collections.OrderedDict" and not arguments:
            return Object(kind, {}, ordered=True)
        if kind == "copyreg._reconstructor" and arguments and isinstance(arguments[0], str):
            return Object(arguments[0], {"base": arguments[2]} if arguments[2:] and arguments[2] else {})
        if not isinstance(function, str):
            return Object(kind, {"function": function, "arguments": Tuple(arguments)})
        return Object(kind, {"arguments": Tuple(arguments)} if arguments else {})

    def _build(self, _: Any) -> None:
        """BUILD: attributes by name, or whatever else the object's class would make of its state."""
        state, target = self.stack.pop(), self.stack[-1]
        if not isinstance(target, Object):
            raise ValueError("state for what has none")
        if self._builder is not None and self._builder(target, state, self):
            return
        slots: Value = None
        if (
            type(state) is Tuple
            and len(state) == 2
            and all(isinstance(part, dict) or part is None for part in state)
        ):
            state, slots = state
        for part in (state, slots):
            if isinstance(part, dict):
                target.parts.update({f".{key}" if key in target.parts else key: part[key] for key in part})
            elif part is not None:
                target.parts["state"] = part


_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": Tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": lambda: Unordered([]),
}
_NUMBERS = frozenset(("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"))


_MOVED = {"__builtin__": "builtins", "copy_reg": "copyreg"}
"""Modules that protocols 0 to 2 call by their names in Python 2."""


def _name(module: str, name: str) -> Name:
    return Name(f"{_MOVED.get(module, module)}.{name}")


def integer(value: int) -> Number:
    """An integer of any size; a very long one in hexadecimal, as decimal digits take quadratic time."""
    return Number(str(value) if value.bit_length() < 4096 else hex(value))


def key_text(key: Value) -> str:
    """A key of a dict as text; one that is no text is told from one that is."""
    if type(key) is str:
        return key
    if isinstance(key, Number):
        return f"{key.text} ({'float' if isinstance(key, Real) else 'int'})"
    if isinstance(key, Tuple) and len(key) < 20:
        return f"({', '.join(item if type(item) is str else brief(item) for item in key)})"
    return brief(key)
