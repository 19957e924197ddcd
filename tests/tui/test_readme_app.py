"""The app of the README: it runs, and what one writes in it the other sees."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from partyroom_tui import Chat, SharedTextArea

from partyroom.client import DocumentClient
from tests.interop.server import ROOT, Server
from tests.tui.apps import eventually, screen_text


def studio() -> Any:
    """The class in the README."""
    blocks = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (source,) = [block for block in blocks if block.startswith("# terminal.py")]
    namespace: dict[str, Any] = {"__name__": "readme"}
    exec(compile(source, "README.md", "exec", dont_inherit=True), namespace)
    return namespace["Studio"]


async def test_the_readme_s_app_is_one_of_many_clients(server: Server, room: str, tmp_path: Path) -> None:
    app = studio()(server.host, room=room, name="Ada")
    async with DocumentClient(server.host, room=room) as page, app.run_test(size=(100, 30)) as pilot:
        await app.client.synced(10)
        app.query_one(SharedTextArea).focus()
        await pilot.press(*"hello")
        await eventually(lambda: str(page.text("body")) == "hello")
        app.query_one(Chat).say("from the app")
        await eventually(lambda: "from the app" in screen_text(app))
        await eventually(lambda: "✓ saved" in screen_text(app))
