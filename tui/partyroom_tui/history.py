"""SharedHistory: what Textual's text area asks its edit history for, answered by undo of the user's own edits."""

from __future__ import annotations

from typing import Any

from textual.document._history import EditHistory

from partyroom.client import DocumentClient, SharedText

__all__ = ["SharedHistory"]


class SharedHistory(EditHistory):
    """Steps of one user's edits of one text: what others have done meanwhile stays.

    What is typed within ``pause`` seconds is one step. There is a new one after a movement of the cursor, a line end,
    and before and after whatever is longer than a character.
    """

    def __init__(self, client: DocumentClient, text: SharedText, pause: float) -> None:
        super().__init__(max_checkpoints=0, checkpoint_timer=pause, checkpoint_max_characters=0)
        self._client = client
        self._text = text
        self._pause = pause
        self._doc: Any = None
        self.begin()

    def begin(self) -> None:
        """Follow the client's document object, which may be another by now."""
        if self._client.doc is not self._doc:
            self._doc = self._client.doc
            self._undo = self._client.undo(self._text, pause=self._pause)

    def undo(self) -> bool:
        """Take back the last step; ``False`` where there is none. Raises ``PartyroomError`` where the engine fails."""
        self.begin()
        return self._undo.undo()

    def redo(self) -> bool:
        """Do again what was last taken back; see ``undo``."""
        self.begin()
        return self._undo.redo()

    def checkpoint(self) -> None:
        """Begin a new step with the next edit."""
        self._undo.checkpoint()

    def clear(self) -> None:
        """Forget all steps."""
        self._undo.clear()
