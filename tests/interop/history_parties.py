"""Documents as they come, with their HTTP face: ``partyroom serve tests/interop/history_parties.py``."""

from __future__ import annotations

from partyroom import DocumentParty


class Notes(DocumentParty):
    """A document for everybody."""
