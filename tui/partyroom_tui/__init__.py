"""partyroom in the terminal: a multiplayer app, and its widgets for any Textual app."""

from __future__ import annotations

from .colours import user
from .text_area import SharedTextArea

__all__ = ["SharedTextArea", "user"]
