"""Markdown: a text or an XML root as CommonMark, as far as common editors say with their own words what they mean.

Read are the formats of Quill (y-quill: ``bold``, ``italic``, ``strike``, ``code``, ``link``, and on the line break
``header``, ``list``, ``blockquote``, ``code-block``, ``indent``) and the elements and marks of y-prosemirror and Tiptap
(``paragraph``, ``heading``, ``bullet_list`` or ``bulletList`` and so on; ``strong``, ``em``). What is not known is left
out and its text kept. A text that has no formats at all is given out as it is: it may be Markdown already.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final, NamedTuple

from ..protocols.shared import Kind, Shared, Span

__all__ = ["markdown", "plain_text"]

_ENTITY: Final = r"&(?=#?\w+;)"
_SPECIAL: Final = re.compile(rf"([\\`*_\[\]<>#|~]|{_ENTITY})")
_BEGINS: Final = re.compile(r"^([ \t]*)(?:(\d+)(?=[.)](?:\s|$))|(?=[-+](?:\s|$)|--+[ \t-]*$|=+[ \t]*$))", re.MULTILINE)
"""What makes a list, a rule or a heading of a line, or of the one before it."""
_LINE_BREAK: Final = re.compile(r"\r\n?")
_ELEMENT: Final = 3
_DEEPEST: Final = 50
"""Elements nested deeper than this are left out: lists in lists are indented, a little more at each level."""

_STRONG: Final = ("bold", "strong", "b")
_EMPHASIS: Final = ("italic", "em", "i", "emphasis")
_STRIKE: Final = ("strike", "strikethrough", "s")
_BLOCKS: Final = {
    "blockquote": "quote",
    "bullet_list": "bullet",
    "bulletlist": "bullet",
    "ordered_list": "ordered",
    "orderedlist": "ordered",
    "heading": "heading",
    "code_block": "code",
    "codeblock": "code",
    "horizontal_rule": "rule",
    "horizontalrule": "rule",
}
_BREAKS: Final = ("hard_break", "hardbreak")
_LIST_ITEMS: Final = ("list_item", "listitem", "taskitem", "task_item")


def markdown(root: Shared, kind: Kind | None = None) -> str:
    """The Markdown of a root; ``kind`` says what it is where that is known, and everything but XML reads as a text.

    Raises ``ProtocolError`` where formats are repeated without end.
    """
    if (kind or root.kind) == "xml":
        return "\n\n".join(_blocks(root, 0)) + "\n"
    spans = list(root.spans())
    if not any(span.attributes or not isinstance(span.insert, str) for span in spans):
        return root.text()
    return _lines(spans)


def plain_text(root: Shared, kind: Kind | None = None) -> str:
    """The text of a root without formats; of XML, one line for each element that has text in it."""
    if (kind or root.kind) != "xml":
        return root.text()
    lines: list[str] = []
    line: list[str] = []
    todo: list[Shared | None] = [root]  # None: a block begins or ends
    while todo:
        part = todo.pop()
        if part is None:
            lines += ["".join(line)] if line else []
            line = []
        elif part.number == _ELEMENT or part is root:
            block = not _is_inline(part)
            inside = [value for value in part.items() if isinstance(value, Shared)]
            todo += [None, *reversed(inside), None] if block else reversed(inside)
            line += ["\n"] if part.name.lower() in _BREAKS else []
        else:
            line.append(part.text())
    return "\n".join([*lines, ""])


# -- a text, as Quill has it: what a line is stands at its end ---------------------------------------------------------


class _Line(NamedTuple):
    style: str
    text: str


def _lines(spans: list[Span]) -> str:
    lines: list[_Line] = []
    open_line: list[Span] = []
    count: dict[int, int] = {}
    for span in _by_line(spans):
        if span.insert == "\n":
            lines.append(_line(open_line, span.attributes, count))
            open_line = []
        else:
            open_line.append(span)
    if open_line:
        lines.append(_line(open_line, {}, count))
    blocks: list[str] = []
    for style, group in groupby(lines, key=lambda line: line.style):
        texts = [line.text for line in group]
        if style == "code":
            blocks.append(_fenced("\n".join(texts)))
        elif style in ("list", "quote"):
            blocks.append("\n".join(texts))
        else:
            blocks += [text for text in texts if text]
    return "\n\n".join(blocks) + "\n"


def _by_line(spans: list[Span]) -> Iterator[Span]:
    """The spans, with each line break in one of its own."""
    for span in spans:
        if not isinstance(span.insert, str):
            yield span
            continue
        for piece in re.split("(\n)", span.insert):
            if piece:
                yield Span(piece, span.attributes)


def _line(spans: list[Span], attributes: Mapping[str, Any], count: dict[int, int]) -> _Line:
    """A line that ends with these formats; ``count`` are the numbers of the list so far, by level."""
    if attributes.get("code-block"):
        return _Line("code", "".join(span.insert for span in spans if isinstance(span.insert, str)))
    text = _inline(spans)
    if attributes.get("list"):
        return _Line("list", _item(attributes, text, count))
    count.clear()
    if attributes.get("header"):
        return _Line("heading", _heading(attributes.get("header"), text))
    if attributes.get("blockquote"):
        return _Line("quote", f"> {text}")
    return _Line("paragraph", text)


def _heading(level: Any, text: str) -> str:
    return f"{'#' * min(max(_whole(level), 1), 6)} {text}"


def _whole(value: Any) -> int:
    """A number that an editor wrote, in whatever form; 0 for none."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 0


def _item(attributes: Mapping[str, Any], text: str, count: dict[int, int]) -> str:
    kind = attributes.get("list")
    level = min(max(_whole(attributes.get("indent")), 0), 20)
    for deeper in [one for one in count if one > level]:
        del count[deeper]
    mark = {"checked": "- [x]", "unchecked": "- [ ]"}.get(str(kind), "-")
    if kind == "ordered":
        count[level] = count.get(level, 0) + 1
        mark = f"{count[level]}."
    return f"{'    ' * level}{mark} {text}"


# -- XML, as ProseMirror has it ----------------------------------------------------------------------------------------


def _blocks(shared: Shared, depth: int) -> Iterator[str]:
    """The blocks in an element; text right in it is a block."""
    line: list[Span] = []
    for value in shared.items():
        if not isinstance(value, Shared):
            continue
        if value.number == _ELEMENT and not _is_inline(value):
            if line:
                yield _inline(line)
                line = []
            if depth < _DEEPEST:
                yield from _block(value, depth)
        else:
            line += _spans(value)
    if line:
        yield _inline(line)


def _is_inline(element: Shared) -> bool:
    return element.name.lower() in (*_BREAKS, "image", "mention")


def _spans(shared: Shared) -> Iterator[Span]:
    """The text of an inline thing."""
    if shared.number != _ELEMENT:
        yield from shared.spans()
        return
    attributes = shared.entries()
    if shared.name.lower() in _BREAKS:
        yield _BREAK
    elif shared.name.lower() == "image":
        yield Span({"image": attributes.get("src"), "alt": attributes.get("alt")}, {})
    else:
        yield Span(str(attributes.get("label") or attributes.get("id") or ""), {})


def _block(element: Shared, depth: int) -> Iterator[str]:
    kind = _BLOCKS.get(element.name.lower())
    if kind in ("bullet", "ordered"):
        yield _list(element, kind == "ordered", depth)
    elif kind == "heading":
        yield _heading(element.entries().get("level"), " ".join(_blocks(element, depth + 1)))
    elif kind == "quote":
        yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(_blocks(element, depth + 1)).split("\n"))
    elif kind == "code":
        yield _fenced(plain_text(element, "xml").rstrip(), _word(element.entries().get("language")))
    elif kind == "rule":
        yield "---"
    else:
        yield from _blocks(element, depth + 1)


def _list(element: Shared, ordered: bool, depth: int) -> str:
    items = []
    inside = [value for value in element.items() if isinstance(value, Shared) and value.number == _ELEMENT]
    for number, item in enumerate(inside, start=1):
        mark = f"{number}. " if ordered else "- "
        if item.name.lower() in _LIST_ITEMS and "checked" in (entries := item.entries()):
            mark += "[x] " if entries["checked"] in (True, "true") else "[ ] "
        width = " " * (len(f"{number}. ") if ordered else 2)
        blocks = "\n\n".join(_blocks(item, depth + 1))
        items.append(mark + re.sub(r"\n(?=.)", "\n" + width, blocks))
    return "\n".join(items)


def _word(value: Any) -> str:
    return value if isinstance(value, str) and value.isalnum() else ""


# -- what is in a line -------------------------------------------------------------------------------------------------


_BREAK: Final = Span("\\\n", {})


def _inline(spans: list[Span]) -> str:
    while spans and spans[-1] is _BREAK:  # the end of a block is one anyway
        spans = spans[:-1]
    line = "".join(_marked(span) for span in spans).strip()  # spaces would mean code in front, a line break behind
    return _BEGINS.sub(lambda found: f"{found[1]}{found[2] or ''}\\", line)


def _marked(span: Span) -> str:
    """A piece of a line in the marks that its formats mean."""
    formats = span.attributes
    if not isinstance(span.insert, str):
        return _embedded(span.insert)
    if span is _BREAK:
        return span.insert
    text = _LINE_BREAK.sub("\n", span.insert)
    if _is_on(formats.get("code")):
        text = text.replace("\n", " ")  # code does not go on in another block
        fence = _fence(text, 1)
        space = " " if len(fence) > 1 else ""
        text = f"{fence}{space}{text}{space}{fence}"
    else:
        text = _escaped(text)
    for names, mark in ((_STRIKE, "~~"), (_EMPHASIS, "*"), (_STRONG, "**")):
        if any(_is_on(formats.get(name)) for name in names):
            text = _around(text, mark)
    link = formats.get("link")
    address = link.get("href") if isinstance(link, dict) else link
    return f"[{text}]({_address(address)})" if isinstance(address, str) else text


def _fenced(code: str, language: str = "") -> str:
    fence = _fence(code, 3)
    return f"{fence}{language}\n{code}\n{fence}"


def _fence(code: str, least: int) -> str:
    """So many backticks as there are not in the code."""
    return "`" * max(least, 1 + max(map(len, re.findall("`+", code)), default=0))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)


def _is_on(value: Any) -> bool:
    """y-prosemirror writes a mark's attributes as its value, and most marks have none."""
    return value is not None and value is not False


def _around(text: str, mark: str) -> str:
    """``text`` in marks, which touch no space: they would not count as marks."""
    inner = text.strip()
    if not inner:
        return text
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{before}{mark}{inner}{mark}{after}"


def _embedded(value: Any) -> str:
    if isinstance(value, dict) and isinstance(value.get("image"), str):
        alt = value.get("alt")
        text = _escaped(alt) if isinstance(alt, str) else ""
        return f"![{text}]({_address(value['image'])})"
    return ""


def _address(url: str) -> str:
    """A link's target without the characters that would end it; one that would run a program leads nowhere."""
    if re.match(r"[\x00-\x20]*(javascript|vbscript|data):", url, re.IGNORECASE) and not url.startswith("data:image/"):
        return ""
    url = re.sub(_ENTITY, "&amp;", url)
    return re.sub(r"[\s()<>\\]", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), url)
