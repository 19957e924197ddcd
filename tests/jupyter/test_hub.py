"""A real JupyterHub: two users in one server, each as themselves; and a room server that is the Hub's service."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import expect

from partyroom.client import DocumentClient
from tests.e2e.browser import chromium, find_chromium
from tests.jupyter.browser import window
from tests.jupyter.hub import ADMIN, Hub

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(180)]

PARTIES = """
import os
from partyroom import DocumentParty, Party, Response

class Main(DocumentParty):
    pass

class Who(Party):
    def on_connect(self, connection):
        connection.send_json(dict(connection.request.user))

class Environment(Party):
    def on_request(self, request):
        names = "PARTYROOM_URL", "PARTYROOM_TOKEN", "JUPYTERHUB_API_TOKEN"
        return Response.json({name: os.environ.get(name) for name in names})
"""

ROOMS = """
from partyroom import DocumentParty, Lobby, Party, SQLiteStore
from partyroom_jupyter.hub import identity, unprefixed

who = identity(write="custom:rooms:write")

class Notes(DocumentParty):
    on_before_connect = who
    can_write = who.can_write
    may_write = who.may_write

class Who(Party):
    on_before_connect = who

    def on_connect(self, connection):
        connection.send_json(dict(connection.request.user))

lobby = Lobby({"main": Notes, "who": Who}, store=SQLiteStore("notes.db"), rewrite=unprefixed)
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    hub = Hub(tmp_path_factory.mktemp("hub"), ROOMS, PARTIES)
    hub.start()
    yield hub
    hub.stop()


class Asking:
    """Asks the Hub, its servers and its service."""

    def __init__(self, session: aiohttp.ClientSession, hub: Hub) -> None:
        self.session = session
        self.hub = hub
        self.tokens: dict[str, str] = {}

    async def api(self, method: str, path: str) -> Any:
        headers = {"Authorization": f"token {ADMIN}"}
        async with self.session.request(method, f"http://{self.hub.host}/hub/api/{path}", headers=headers) as answer:
            assert answer.ok, (method, path, await answer.text())
            text = await answer.text()
            return json.loads(text) if answer.content_type == "application/json" and text else text

    async def joined(self, path: str, token: str | None) -> dict[str, Any] | int:
        """Who a room says that we are, or the status of a refusal."""
        query = {} if token is None else {"token": token}
        try:
            async with self.session.ws_connect(f"ws://{self.hub.host}{path}", params=query) as socket:
                told: dict[str, Any] = await socket.receive_json(timeout=10)
                return told
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def asking(hub: Hub) -> AsyncIterator[Asking]:
    """With ada's server running, and a token for each of the users."""
    async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
        asking = Asking(session, hub)
        for name in "ada", "bob", "eve":
            asking.tokens[name] = (await asking.api("POST", f"users/{name}/tokens"))["token"]
        await asking.api("POST", "users/ada/server")
        progress = await asking.api("GET", "users/ada/server/progress")
        assert '"ready": true' in progress, hub.log()
        yield asking


async def test_two_users_in_one_server_are_there_as_themselves(asking: Asking) -> None:
    for name in "ada", "bob":
        told = await asking.joined("/user/ada/parties/who/x", asking.tokens[name])
        assert isinstance(told, dict)
        assert (told["sub"], told["username"], told["name"]) == (name, name, name)
    for token in asking.tokens["eve"], "a guess", None:
        assert await asking.joined("/user/ada/parties/who/x", token) == 403


async def test_they_edit_one_document(asking: Asking, hub: Hub) -> None:
    host = f"{hub.host}/user/ada"
    async with (
        DocumentClient(host, room="shared", token=asking.tokens["ada"]) as ada,
        DocumentClient(host, room="shared", token=asking.tokens["bob"]) as bob,
    ):
        ada.text("body").insert(0, "by ada")
        await ada.saved()
        await bob.synced()
        assert str(bob.text("body")) == "by ada"


async def test_a_kernel_has_a_secret_that_the_hub_does_not_know(asking: Asking, hub: Hub) -> None:
    url = f"http://{hub.host}/user/ada/parties/environment/x"
    async with asking.session.get(url, headers={"Authorization": f"token {asking.tokens['ada']}"}) as answer:
        environ = await answer.json()
    assert environ["PARTYROOM_URL"].endswith("/user/ada")
    assert environ["PARTYROOM_TOKEN"] != environ["JUPYTERHUB_API_TOKEN"]
    async with DocumentClient(environ["PARTYROOM_URL"], room="shared", token=environ["PARTYROOM_TOKEN"]) as kernel:
        await kernel.synced()
    told = await asking.joined("/user/ada/parties/who/x", environ["PARTYROOM_TOKEN"])
    assert isinstance(told, dict)
    assert told["name"] == "kernel of ada"


@pytest.mark.skipif(find_chromium() is None, reason="needs Chromium: `make browser` installs it on Debian")
async def test_a_browser_comes_in_by_the_hubs_login(asking: Asking, hub: Hub) -> None:
    async with chromium() as browser, window(browser, f"http://{hub.host}/user/ada/partyroom/") as bob:
        await bob.page.locator("#username_input").fill("bob")
        await bob.page.locator("#password_input").fill("anything")
        await bob.page.locator("#login_submit").click()
        await bob.page.get_by_text("Authorize").last.click()  # may this server know who you are?
        await expect(bob.page.get_by_test_id("status")).to_have_attribute("data-state", "live")
        told = await bob.page.evaluate(
            """() => new Promise((resolve, reject) => {
                const base = location.href.replace(/^http/, "ws").split("/partyroom")[0];
                const socket = new WebSocket(`${base}/parties/who/x`);
                socket.onmessage = ({ data }) => resolve(JSON.parse(data).sub);
                socket.onerror = () => reject(new Error("refused"));
            })"""
        )
        assert told == "bob"
        fetched = "(method) => fetch('../parties/main/shared/doc', { method }).then(({ status }) => status)"
        assert await bob.page.evaluate(fetched, "POST") == 403  # without the XSRF token


async def test_the_hubs_service_knows_its_users_and_what_they_may(asking: Asking, hub: Hub) -> None:
    where = "/services/rooms/parties/who/x"
    for name in asking.tokens:
        told = await asking.joined(where, asking.tokens[name])
        assert isinstance(told, dict)
        assert (told["sub"], "custom:rooms:write" in told["scopes"]) == (name, name == "ada")
    assert await asking.joined(where, "a guess") == 401
    assert await asking.joined(where, None) == 401
    host = f"{hub.host}/services/rooms"
    async with (
        DocumentClient(host, room="shared", token=asking.tokens["ada"]) as ada,
        DocumentClient(host, room="shared", token=asking.tokens["bob"]) as bob,
    ):
        ada.text("body").insert(0, "by ada")
        await ada.saved()
        await bob.synced()
        assert str(bob.text("body")) == "by ada"
    url = f"http://{host}/parties/main/shared/doc"
    for name, status in ("ada", 204), ("bob", 403):
        headers = {"Authorization": f"token {asking.tokens[name]}", "Content-Type": "application/octet-stream"}
        async with asking.session.post(url, headers=headers, data=b"\0\0") as answer:
            assert answer.status == status


async def test_the_token_of_a_users_server_opens_the_service(asking: Asking, hub: Hub) -> None:
    url = f"http://{hub.host}/user/ada/parties/environment/x"
    async with asking.session.get(url, headers={"Authorization": f"token {asking.tokens['ada']}"}) as answer:
        token = (await answer.json())["JUPYTERHUB_API_TOKEN"]
    told = await asking.joined("/services/rooms/parties/who/x", token)
    assert isinstance(told, dict)
    assert told["sub"] == "ada"
