"""Documents of which something is always being compacted, kept as a version, loaded or stopped.

``partyroom serve tests/interop/restless_parties.py``, to be killed in the middle of it.
"""

from __future__ import annotations

from partyroom import DocumentParty
from partyroom.documents import history, log, scribe
from partyroom.documents.versions import Versioning
from partyroom.limits import MIB, Limits

log.MANY, log.SOME, log.SMALL = 25, 3, 64
for module in (scribe, history):
    module.BEAT = 0.05  # type: ignore[attr-defined]


class Notes(DocumentParty):
    """A document room that hurries in everything."""

    versioning = Versioning(every=0.2, pause=0.05, substantial=1, automatic=5, named=1000)
    limits = Limits(message=32 * MIB, buffer=48 * MIB, value=None, idle=0.05)


class Dozing(Notes):
    """One that also leaves memory while its clients stay."""

    hibernate = True
    limits = Limits(message=32 * MIB, buffer=48 * MIB, value=None, idle=0.05, doze=0.05)
