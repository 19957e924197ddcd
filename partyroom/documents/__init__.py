"""Document rooms, written with the public Party API only. ``from partyroom import DocumentParty``."""
