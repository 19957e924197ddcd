"""The same parties for pages of every origin: ``partyroom serve tests/interop/open_parties.py``."""

from __future__ import annotations

from partyroom import Lobby
from tests.interop.parties import Echo

lobby = Lobby({"echo": Echo}, cors=True)
