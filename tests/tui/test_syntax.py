"""Highlights: of the lines that are asked for, after edits the same as of a text that is parsed anew."""

from __future__ import annotations

from random import Random

import pytest
from partyroom_tui.document import LinesDocument
from partyroom_tui.syntax import Syntax
from textual._tree_sitter import get_language
from textual.widgets import TextArea

CODE = '''class Greeter:
    """Says hello.

    In several lines.
    """

    def hello(self, name: str = "漢字") -> str:  # a comment
        return f"hello {name} {len(name)}"
'''


def parsed(document: LinesDocument, language: str = "python") -> Syntax:
    grammar = get_language(language)
    assert grammar is not None
    return Syntax(document, grammar, TextArea._get_builtin_highlight_query(language))


def test_words_have_the_names_that_themes_know() -> None:
    document = LinesDocument(CODE)
    syntax = parsed(document)
    named = {
        (document[row].encode()[start:end].decode(), name)
        for row in range(document.line_count)
        for start, end, name in syntax.row(row)
    }
    assert {("class", "keyword"), ("def", "keyword.function"), ("# a comment", "comment")} <= named
    assert {('"漢字"', "string"), ("    In several lines.", "string"), ("len", "function.builtin")} <= named


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_line_ends_of_any_kind_do_not_matter(newline: str) -> None:
    plain, other = LinesDocument(CODE), LinesDocument(CODE.replace("\n", newline))
    one, two = parsed(plain), parsed(other)
    assert [one.row(row) for row in range(plain.line_count)] == [two.row(row) for row in range(other.line_count)]


@pytest.mark.parametrize("seed", range(3))
def test_after_edits_lines_are_highlighted_as_if_parsed_anew(seed: int) -> None:
    random = Random(seed)
    document = LinesDocument(CODE * 3)
    syntax = parsed(document)
    for _ in range(15):
        for row in random.sample(range(document.line_count), 5):
            syntax.row(row)
        words = [at for at, char in enumerate(document.text) if char in "hn"]
        at = random.choice(words)
        new = random.choice(("h", "n", "漢", "xyz"))  # in words, strings and comments, which leaves the code whole
        if random.random() < 0.3:
            at, new = 0, "import os\r\n"
        syntax.splice(document.splice(at, at, new))
        syntax.catch_up()
        fresh = parsed(document)
        assert [syntax.row(row) for row in range(document.line_count)] == [
            fresh.row(row) for row in range(document.line_count)
        ]


def test_an_edit_tells_which_other_lines_look_different() -> None:
    document = LinesDocument(CODE)
    syntax = parsed(document)
    for row in range(document.line_count):
        syntax.row(row)
    at = document.text.index('"""')
    syntax.splice(document.splice(at, at + 3, ""))
    assert {2, 3} <= syntax.catch_up()
    assert syntax.catch_up() == set()
