"""What strangers throw things at: ``partyroom serve tests/interop/hostile_parties.py``."""

from __future__ import annotations

from partyroom import DocumentParty, HocuspocusParty
from partyroom.documents.ysweet import YSweetParty


class Notes(DocumentParty):
    """A document as it comes out of the box."""


class Sleepy(DocumentParty):
    """One that leaves memory while its clients stay."""

    hibernate = True


class Sweet(YSweetParty):
    """One that y-sweet's clients know."""


class Hub(HocuspocusParty):
    """The notes for Hocuspocus' providers."""

    documents = "notes"
