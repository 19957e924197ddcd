"""Shared types as they are read from bytes: texts, arrays, maps and XML, with who wrote what.

``protocols.content`` puts the items in order; here they become text, JSON, a delta or XML, in the forms that Yjs gives
them (``toString``, ``toJSON``, ``toDelta``). Nothing here recurses over shared types, for a stranger decides how deep
they lie in each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from ..errors import CloseCode, ProtocolError
from ..limits import MIB
from .lib0 import UNDEFINED
from .plain import plain, spoken
from .structs import ANY, DELETED, EMBED, FORMAT, STRING, TYPE, FormatContent, Id

__all__ = ["DEEPEST", "MOST_FORMATS", "Chain", "Item", "Kind", "Run", "Shared", "Span", "utf16_units"]

DEEPEST: Final = 400
"""How deep shared types may nest in what is turned into JSON, whose readers and writers recurse."""

MOST_FORMATS: Final = 32 * MIB
"""How many bytes of formats a delta may repeat: each piece of text carries all that are open, as a stranger likes."""

Kind: TypeAlias = Literal["array", "map", "text", "xml"]

_KINDS: Final[dict[int, Kind]] = {0: "array", 1: "map", 2: "text", 3: "xml", 4: "xml", 6: "xml"}
_TELLING: Final[tuple[Kind, ...]] = ("text", "xml", "array")
"""What a list is where it holds several: a text may embed everything."""
_ELEMENT: Final = 3
_XML_TEXT: Final = 6


class Item:
    """Some ticks of one client that lie side by side, in the place that all clients give them.

    ``right`` is what comes next. ``origin`` and ``right_origin`` are the items that ended and began beside them when
    they were written, and ``chain`` is where they belong; only who puts them in order knows these.
    """

    __slots__ = ("chain", "client", "clock", "content", "deleted", "kind", "length", "origin", "right", "right_origin")

    def __init__(self, client: int, clock: int, length: int, kind: int, content: Any) -> None:
        self.client = client
        self.clock = clock
        self.length = length
        self.kind = kind
        self.content = content
        self.deleted = kind == DELETED
        self.origin: Item | None = None
        self.right_origin: Item | None = None
        self.right: Item | None = None
        self.chain: Chain | None = None


class Chain:
    """Items in their order: those of a list, or all that was ever set under one key of a map."""

    __slots__ = ("first", "last")

    def __init__(self) -> None:
        self.first: Item | None = None
        self.last: Item | None = None

    def __iter__(self) -> Iterator[Item]:
        item = self.first
        while item is not None:
            yield item
            item = item.right

    def insert(self, first: Item, last: Item, left: Item | None) -> None:
        """Put items that follow each other behind ``left``, or in front of all."""
        if left is None:
            last.right, self.first = self.first, first
        else:
            last.right, left.right = left.right, first
        if last.right is None:
            self.last = last


class Run(NamedTuple):
    """What one client wrote in one go, as far as it still lies side by side.

    ``content`` is text (``str``), or a list of values; ``None`` where it is deleted and gone. ``length`` counts clocks:
    UTF-16 units of text.
    """

    client: int
    clock: int
    length: int
    content: str | list[Any] | None
    deleted: bool


class Span(NamedTuple):
    """A piece of formatted text: a ``str``, or a single embedded value or shared type."""

    insert: Any
    attributes: dict[str, Any]


class Shared:
    """A shared type: a root, or a value in another one.

    ``name`` is the name of a root or of an XML element. ``number`` is Yjs' number for its kind; ``None`` for roots, for
    what they are is not written in a document: a client decides when it opens them. ``id`` is that of the item that
    holds it.
    """

    __slots__ = ("_guess", "id", "keys", "list", "name", "number")

    def __init__(self, name: str = "", number: int | None = None, id: Id | None = None) -> None:
        self.name = name
        self.number = number
        self.id = id
        self.list = Chain()
        self.keys: dict[str, Chain] = {}
        self._guess: Kind | None = None

    def chain(self, key: str | None) -> Chain:
        """The chain of a key, or of the list."""
        if key is None:
            return self.list
        chain = self.keys.get(key)
        if chain is None:
            chain = self.keys[key] = Chain()
        return chain

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def kind(self) -> Kind | None:
        """What it is; of a root, what it looks like, and ``None`` where nothing in it tells."""
        if self.number is not None:
            return _KINDS[self.number]
        if self._guess is None:
            self._guess = self._look()
        return self._guess

    def _look(self) -> Kind | None:
        """The kind that holds such items; those that are there count before those that are deleted."""
        here: set[Kind] = set()
        gone: set[Kind] = set()
        for item in self.list:
            if item.kind != DELETED:
                (gone if item.deleted else here).add(_looks(item))
                if here >= {"text"}:
                    break
        if not here and self.keys:
            return "map"
        for kind in _TELLING:
            if kind in (here or gone):
                return kind
        return None

    # -- what it holds -----------------------------------------------------------------------------------------------

    def items(self) -> list[Any]:
        """What it holds as a list: values as ``Decoder.any`` gives them, ``Subdocument`` and ``Shared``.

        Text in it counts one value for each UTF-16 unit, as in ``Y.Array``.
        """
        values: list[Any] = []
        for item in self.list:
            if not item.deleted:
                values += _values(item)
        return values

    def entries(self) -> dict[str, Any]:
        """What it holds as a map (or as the attributes of an XML element), values as in ``items``."""
        entries: dict[str, Any] = {}
        for key, chain in self.keys.items():
            last = chain.last
            if last is not None and not last.deleted:
                values = _values(last)
                entries[key] = values[-1] if values else UNDEFINED
        return entries

    def text(self) -> str:
        """Its text without formats and without what is embedded in it."""
        return "".join([item.content for item in self.list if item.kind == STRING and not item.deleted])

    def spans(self) -> Iterator[Span]:
        """Its text in pieces of equal format, and each thing embedded in it.

        Raises ``ProtocolError`` where so many formats are open that this would never end.
        """
        formats: dict[str, FormatContent] = {}
        weight = written = 0
        pieces: list[str] = []
        for item in self.list:
            if item.deleted or item.kind not in (STRING, FORMAT, EMBED, TYPE):
                continue
            if item.kind == STRING:
                pieces.append(item.content)
                continue
            if pieces:
                yield Span("".join(pieces), _attributes(formats))
                written += weight
                pieces = []
            if item.kind == FORMAT:
                closed = formats.get(item.content.key)
                weight -= closed.size if closed is not None else 0
                if item.content.value is None:
                    formats.pop(item.content.key, None)
                else:
                    formats[item.content.key] = item.content
                    weight += item.content.size
            else:
                yield Span(item.content, _attributes(formats))
                written += weight
            if written > MOST_FORMATS:
                raise _refusal(f"more than {MOST_FORMATS} bytes of formats in {self.name!r}")
        if pieces:
            yield Span("".join(pieces), _attributes(formats))

    # -- who wrote it ------------------------------------------------------------------------------------------------

    def runs(self, *, deleted: bool = False) -> Iterator[Run]:
        """What the list holds in order, by who wrote it; with ``deleted`` also what is not there any more.

        Formats are left out. A run ends where another begins, or where it lies beside what another wrote.
        """
        parts: list[Run] = []
        for item in self.list:
            if item.kind == FORMAT or (item.deleted and not deleted):
                continue
            run = _run(item)
            if parts and not _continues(parts[-1], run):
                yield _joined(parts)
                parts = []
            parts.append(run)
        if parts:
            yield _joined(parts)

    def writes(self) -> dict[str, Run]:
        """The last write under each key, whether it is still there or deleted."""
        return {key: _run(chain.last) for key, chain in self.keys.items() if chain.last is not None}

    # -- as Yjs says it ----------------------------------------------------------------------------------------------

    def json(self, kind: Kind | None = None) -> Any:
        """What Yjs' ``toJSON`` gives, with the exceptions of ``protocols.plain``.

        A text or XML is a ``str``. ``kind`` says what a root is; without it the root's looks decide, and one that does
        not tell is ``None``. Raises ``ProtocolError`` beyond ``DEEPEST``.
        """
        whole: list[Any] = [None]
        todo: list[tuple[Shared, Kind | None, Any, Any, int]] = [(self, kind or self.kind, whole, 0, 0)]
        while todo:
            shared, shape, outer, at, depth = todo.pop()
            if depth > DEEPEST:
                raise _refusal(f"shared types nested more than {DEEPEST} deep in {self.name!r}")
            if shape == "array" or shape == "map":
                inner = shared.items() if shape == "array" else shared.entries()
                made, nested = _opened(inner)
                todo += [(value, value.kind, made, place, depth + 1) for place, value in nested]
            else:
                made = None if shape is None else shared.text() if shape == "text" else shared.xml()
            outer[at] = made
        return whole[0]

    def delta(self) -> list[dict[str, Any]]:
        """The text with its formats as Yjs' ``toDelta`` gives it (``{"insert": ..., "attributes": ...}``), as JSON."""
        operations: list[dict[str, Any]] = []
        for insert, attributes in self.spans():
            operation = {"insert": insert.json() if isinstance(insert, Shared) else plain(insert)}
            if attributes:
                operation["attributes"] = plain(attributes)
            operations.append(operation)
        return operations

    def xml(self) -> str:
        """What Yjs' ``toString`` gives for XML. It escapes nothing: this is for comparing, not for a page."""
        out: list[str] = []
        todo: list[Any] = [self]
        while todo:
            part = todo.pop()
            if isinstance(part, Shared):
                todo.extend(reversed(part._xml_parts(root=part is self)))
            else:
                out.append(part)
        return "".join(out)

    def _xml_parts(self, root: bool) -> list[Any]:
        """The texts, and the shared types to be written in between."""
        if self.number == _XML_TEXT or (root and self._look() == "text"):
            return [part for span in self.spans() for part in _xml_span(span)]
        if self.number == 2:
            return [self.text()]
        if self.number in (0, 1) and not root:
            return [spoken(self)]
        inside = [value if isinstance(value, Shared) else spoken(value) for value in self.items()]
        if self.number != _ELEMENT:
            return inside
        name = self.name.lower()
        head: list[Any] = [f"<{name}"]
        for key, value in sorted(self.entries().items(), key=lambda entry: entry[0].encode("utf-16-be")):
            head += [f' {key}="', value if isinstance(value, Shared) else spoken(value), '"']
        return [*head, ">", *inside, f"</{name}>"]


def _attributes(formats: dict[str, FormatContent]) -> dict[str, Any]:
    return {key: content.value for key, content in formats.items()}


def _looks(item: Item) -> Kind:
    if item.kind in (STRING, FORMAT, EMBED):
        return "text"
    return "xml" if item.kind == TYPE and item.content.number in (_ELEMENT, _XML_TEXT) else "array"


def _values(item: Item) -> list[Any]:
    """The values of an item that is there."""
    if item.kind == STRING:
        return utf16_units(item.content)
    if item.kind == ANY:
        return item.content  # type: ignore[no-any-return]
    return [] if item.kind == FORMAT else [item.content]


def utf16_units(text: str) -> list[str]:
    """The UTF-16 units of a text, each as a ``str``: what JavaScript calls its characters."""
    if text.isascii():
        return list(text)
    units = text.encode("utf-16-le", "surrogatepass")
    return [chr(units[at] | units[at + 1] << 8) for at in range(0, len(units), 2)]


def _run(item: Item) -> Run:
    content = None if item.kind == DELETED else item.content if item.kind == STRING else _values(item)
    return Run(item.client, item.clock, item.length, content, item.deleted)


def _joined(parts: list[Run]) -> Run:
    """Runs that continue each other as one."""
    first = parts[0]
    if len(parts) == 1:
        return first
    content: str | list[Any] | None = first.content
    if isinstance(content, str):
        content = "".join([str(part.content) for part in parts])
    elif content is not None:
        content = [value for part in parts for value in part.content or ()]
    return first._replace(length=sum(part.length for part in parts), content=content)


def _continues(run: Run, following: Run) -> bool:
    return (
        run.client == following.client
        and run.clock + run.length == following.clock
        and run.deleted == following.deleted
        and type(run.content) is type(following.content)
    )


def _opened(values: list[Any] | dict[str, Any]) -> tuple[Any, list[tuple[Any, Shared]]]:
    """The values as JSON with gaps for the shared types among them, and where those go."""
    if isinstance(values, dict):
        nested: list[tuple[Any, Shared]] = [(key, value) for key, value in values.items() if isinstance(value, Shared)]
        return {key: plain(value) for key, value in values.items() if value is not UNDEFINED}, nested
    return [plain(value) for value in values], [(at, one) for at, one in enumerate(values) if isinstance(one, Shared)]


def _xml_span(span: Span) -> list[Any]:
    """A piece of formatted text in the elements that its formats name, in alphabetical order."""
    opening, closing = [], []
    for name, value in sorted(span.attributes.items(), key=lambda entry: entry[0].encode("utf-16-be")):
        opening.append(f"<{name}{''.join(_xml_attributes(value))}>")
        closing.append(f"</{name}>")
    insert = span.insert if isinstance(span.insert, Shared) else spoken(span.insert)
    return [*opening, insert, *reversed(closing)]


def _xml_attributes(value: Any) -> Iterator[str]:
    """The attributes of a format's element: the properties of its value, as JavaScript's ``for in`` finds them."""
    if isinstance(value, str):
        value = dict(enumerate(utf16_units(value)))
    elif isinstance(value, list):
        value = dict(enumerate(value))
    if isinstance(value, dict):
        named = ((str(key), inner) for key, inner in value.items())
        for key, inner in sorted(named, key=lambda entry: entry[0].encode("utf-16-be")):
            yield f' {key}="{spoken(inner)}"'


def _refusal(reason: str) -> ProtocolError:
    return ProtocolError(f"this document cannot be written out: {reason}", CloseCode.POLICY_VIOLATION)
