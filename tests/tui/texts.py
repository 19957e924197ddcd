"""Texts as people, and people who are up to something, write them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

PIECES = [
    "a",
    "bc ",
    "\t",
    "\n",
    "\r",
    "\r\n",
    "é",
    "e\u0301",
    "漢",
    "😀",
    "👩\u200d👩\u200d👧",
    "\u2028",
    "\x0c",
    "\x1b[2J",
    "\x00",
]
few = settings(max_examples=50, deadline=None)
texts = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)
tame = st.lists(st.sampled_from(["a", "bc ", "漢字", "long-word", "\n", " "]), max_size=40).map("".join)
"""What Textual's own documents can hold: one kind of line end, and characters of a width of their own."""
