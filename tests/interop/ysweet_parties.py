"""Documents with y-sweet's HTTP face: ``partyroom serve tests/interop/ysweet_parties.py``."""

from __future__ import annotations

from partyroom import Lobby, MemoryStore
from partyroom.documents.ysweet import YSweetParty, paths

SECRET = "a secret of /at least/ 32 bytes, with @ and %"


class Notes(YSweetParty):
    """Documents that open to tokens."""

    secret = SECRET


lobby = Lobby({"notes": Notes}, store=MemoryStore(), rewrite=paths("notes"))
