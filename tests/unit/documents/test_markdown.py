"""Markdown: what editors mean by their formats, in CommonMark."""

from __future__ import annotations

from typing import Any

import pytest
from markdown_it import MarkdownIt
from pycrdt import Doc, Text, XmlElement, XmlFragment, XmlText

from partyroom.documents.markdown import markdown, plain_text
from partyroom.protocols.content import read
from partyroom.protocols.shared import Shared
from tests.unit.protocols.test_content import item, update

Delta = list[tuple[Any, dict[str, Any]]]


def text_root(delta: Delta) -> Shared:
    """A text with this content, as an editor writes it."""
    doc: Doc[Any] = Doc()
    text = doc.get("body", type=Text)
    places = [0]
    for insert, _ in delta:
        if isinstance(insert, str):
            text.insert(places[-1], insert)
        else:
            text.insert_embed(places[-1], insert)
        places.append(places[-1] + (len(insert.encode()) if isinstance(insert, str) else 1))
    for (_, attributes), start, end in zip(delta, places, places[1:], strict=False):
        if attributes:
            text.format(start, end, attributes)
    return read(doc.get_update()).root("body")


def xml_root(*children: XmlElement | XmlText) -> Shared:
    doc: Doc[Any] = Doc()
    fragment = doc.get("prosemirror", type=XmlFragment)
    for child in children:
        fragment.children.append(child)
    return read(doc.get_update()).root("prosemirror")


def p(*children: Any, tag: str = "paragraph", **attributes: Any) -> XmlElement:
    return XmlElement(tag, attributes, [XmlText(one) if isinstance(one, str) else one for one in children])


def test_a_text_without_formats_is_given_out_as_it_is() -> None:
    source = "# A *title*\n\n- [ ] 1 < 2\n"
    root = text_root([(source, {})])
    assert markdown(root) == plain_text(root) == source


@pytest.mark.parametrize(
    ("delta", "expected"),
    [
        ([("a ", {}), ("bold", {"bold": True}), (" word", {})], "a **bold** word\n"),
        ([("both", {"bold": True, "italic": True}), ("gone", {"strike": True})], "***both***~~gone~~\n"),
        ([("spaced ", {"italic": True}), ("out", {})], "*spaced* out\n"),
        ([("x`y", {"code": True})], "`` x`y ``\n"),
        ([("a_b*c [d]", {"color": "red"})], "a\\_b\\*c \\[d\\]\n"),
        ([("here", {"link": "https://example.com/a (b)"})], "[here](https://example.com/a%20%28b%29)\n"),
        ([("here", {"link": "javascript:alert(1)"})], "[here]()\n"),
        ([("see ", {}), ({"image": "https://example.com/x.png"}, {})], "see ![](https://example.com/x.png)\n"),
        ([("see ", {}), ({"formula": "x"}, {}), (" this", {})], "see  this\n"),
        ([("Title", {}), ("\n", {"header": 2}), ("text", {}), ("\n", {})], "## Title\n\ntext\n"),
        ([("one", {}), ("\n", {"list": "bullet"}), ("two", {}), ("\n", {"list": "bullet"})], "- one\n- two\n"),
        (
            [
                ("a", {}),
                ("\n", {"list": "ordered"}),
                ("deep", {}),
                ("\n", {"list": "ordered", "indent": 1}),
                ("b", {}),
                ("\n", {"list": "ordered"}),
                ("end\n", {}),
            ],
            "1. a\n    1. deep\n2. b\n\nend\n",
        ),
        (
            [("done", {}), ("\n", {"list": "checked"}), ("not", {}), ("\n", {"list": "unchecked"})],
            "- [x] done\n- [ ] not\n",
        ),
        ([("wise", {}), ("\n", {"blockquote": True}), ("after", {})], "> wise\n\nafter\n"),
        (
            [("x = *y*", {}), ("\n", {"code-block": True}), ("z", {}), ("\n", {"code-block": True}), ("so\n", {})],
            "```\nx = *y*\nz\n```\n\nso\n",
        ),
        ([("1. no list", {"color": "red"})], "1\\. no list\n"),
    ],
)
def test_what_quill_means_by_its_formats(delta: Delta, expected: str) -> None:
    assert markdown(text_root(delta)) == expected


def test_what_prosemirror_means_by_its_elements() -> None:
    root = xml_root(
        p("Title", tag="heading", level=2.0),
        p("plain "),
        p(
            p(p("one"), tag="listItem"),
            p(p("two"), p(p(p("deep"), tag="list_item"), tag="ordered_list"), tag="list_item"),
            tag="bulletList",
        ),
        p(p("todo"), tag="taskList"),
        p(p("said"), p("twice"), tag="blockquote"),
        p("x = 1\ny", tag="code_block", language="python"),
        p(tag="horizontal_rule"),
        p("broken", p(tag="hardBreak"), "line ", p(tag="image", src="https://example.com/x.png", alt="an *x*")),
    )
    assert markdown(root) == (
        "## Title\n\n"
        "plain\n\n"
        "- one\n- two\n\n  1. deep\n\n"
        "todo\n\n"
        "> said\n>\n> twice\n\n"
        "```python\nx = 1\ny\n```\n\n"
        "---\n\n"
        "broken\\\nline ![an \\*x\\*](https://example.com/x.png)\n"
    )
    assert plain_text(root) == "Title\nplain \none\ntwo\ndeep\ntodo\nsaid\ntwice\nx = 1\ny\nbroken\nline \n"


def as_read(source: str) -> str:
    """The text that markdown-it shows a reader; raises ``AssertionError`` where it finds HTML or a rule in it."""
    shown = []
    for token in MarkdownIt("commonmark").enable("strikethrough").parse(source):
        for part in token.children or [token]:
            assert not part.type.startswith(("html", "hr")), part
            assert str(part.attrs.get("href", "")).partition(":")[0] != "javascript"
            shown.append("\n" if part.type in ("softbreak", "hardbreak") else part.content)
    return "".join(shown).strip()


@pytest.mark.parametrize("line", [{}, {"list": "bullet"}, {"blockquote": True}, {"header": 2}, {"code-block": True}])
@pytest.mark.parametrize(
    "text",
    [
        "-",
        "+",
        "1.",
        "2)",
        "- x",
        "---",
        "--",
        "- - -",
        "===",
        "```",
        "`````",
        "~~~",
        "&lt;b&gt;",
        "&#42;",
        "a & b",
        "<b>",
        "#",
    ],
)
def test_what_means_something_in_markdown_is_text_to_its_readers(text: str, line: dict[str, Any]) -> None:
    assert as_read(markdown(text_root([(text, {"color": "red"}), ("\n", line)]))) == text


@pytest.mark.parametrize("text", ["- b", "--", "==", "1. b", "> b", "# b"])
def test_a_line_after_a_break_is_text_too_and_a_break_at_the_end_is_none(text: str) -> None:
    root = xml_root(p("a", p(tag="hard_break"), text, p(tag="hardBreak")))
    assert as_read(markdown(root)) == f"a\n{text}"


@pytest.mark.parametrize("formats", [{"as is": True}, {"code": True}, {"bold": True}, {"code-block": True}, {}])
@pytest.mark.parametrize("text", ["<b>x</b>", "a\r\r<b>x</b>", "a\n\n<b>x</b>", "```\n<b>x</b>", "a\r- <b>x</b>"])
def test_no_text_becomes_html_whatever_formats_a_stranger_gives_it(text: str, formats: dict[str, Any]) -> None:
    line = {"code-block": True} if formats.get("code-block") else {}
    assert "<b>x</b>" in as_read(markdown(text_root([(text, formats or {"color": "red"}), ("\n", line)])))
    doc: Doc[Any] = Doc()
    fragment = doc.get("prosemirror", type=XmlFragment)
    paragraph = fragment.children.append(XmlElement("code_block" if line else "paragraph"))
    written = paragraph.children.append(XmlText())
    written.insert(0, text, formats or None)
    assert "<b>x</b>" in as_read(markdown(read(doc.get_update()).root("prosemirror")))


@pytest.mark.parametrize("url", ["javascript:x", "&#106;avascript:x", "java&#115;cript&colon;x", "JAVASCRIPT&#58;x"])
def test_no_link_leads_to_a_program(url: str) -> None:
    assert as_read(markdown(text_root([("here", {"link": url})]))) == "here"


def test_the_marks_of_prosemirror_have_attributes_or_none() -> None:
    doc: Doc[Any] = Doc()
    fragment = doc.get("prosemirror", type=XmlFragment)
    fragment.children.append(paragraph := XmlElement("paragraph"))
    paragraph.children.append(text := XmlText("strong em code link"))
    text.format(0, 6, {"strong": {}})
    text.format(7, 9, {"em": {}})
    text.format(10, 14, {"code": {}})
    text.format(15, 19, {"link": {"href": "https://example.com", "title": None}})
    root = read(doc.get_update()).root("prosemirror")
    assert markdown(root) == "**strong** *em* `code` [link](https://example.com)\n"


@pytest.mark.slow
def test_elements_nested_without_end_cost_no_recursion() -> None:
    element = b"\x07\x03\x01p"
    nested = [item(element), *(item(element, parent=(7, level)) for level in range(20_000))]
    root = read(update({7: nested})).roots["a"]
    assert (markdown(root), plain_text(root)) == ("\n", "")
