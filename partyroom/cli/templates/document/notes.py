"""Documents that people edit together, in any Yjs editor; and a file of each, written as they pause."""

from pathlib import Path
from urllib.parse import quote

from partyroom import DocumentParty
from pycrdt import Text

FOLDER = Path("notes")


class Notes(DocumentParty):
    def on_load(self) -> None:
        body = self.doc.get("body", type=Text)  # the name that the editor on the home page uses
        if not len(body):
            body.insert(0, f"# {self.room.id}\n\n")

    def on_save(self) -> None:
        FOLDER.mkdir(exist_ok=True)
        # A room's id is whatever somebody typed, so it is no file name as it stands.
        (FOLDER / (quote(self.room.id, safe=" ")[:200] + ".md")).write_text(str(self.doc.get("body", type=Text)))
