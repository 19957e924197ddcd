"""Who may come in: row by row, against a real Jupyter Server. Whoever may not has touched no room."""

from __future__ import annotations

from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any

import aiohttp
import pytest

from tests.jupyter.conftest import StartServer
from tests.jupyter.server import TOKEN, JupyterServer

FOREIGN, FRIEND = "https://foreign.example", "https://friend.example"

PARTIES = """
import os
from partyroom import DocumentParty, Party, Response

class Who(Party):
    def on_connect(self, connection):
        connection.send_json(dict(connection.request.user))

    def on_request(self, request):
        return Response.json({"method": request.method, "user": dict(request.user)})

class Ticker(Who):
    open_to_readers = True

class Notes(DocumentParty):
    pass

class Environment(Party):
    def on_request(self, request):
        return Response.json({name: os.environ.get(name) for name in ("PARTYROOM_URL", "PARTYROOM_TOKEN")})
"""

AUTHORIZER = """
from jupyter_server.auth import Authorizer

class Named(Authorizer):
    "Asks the request itself, so that one server has all kinds of visitors."
    def is_authorized(self, handler, user, action, resource):
        may = handler.request.headers.get("X-May", "read,write").split(",")
        return resource != "partyroom" or action in may

c.ServerApp.authorizer_class = Named
"""

PASSWORD = """
from jupyter_server.auth import passwd
c.PasswordIdentityProvider.hashed_password = passwd("open sesame", "sha1")
c.ServerApp.allow_origin_pat = r"https://.*\\.friend\\.example"
"""


@dataclass
class Visitor:
    """How somebody asks."""

    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)

    def __or__(self, other: Visitor) -> Visitor:
        return Visitor(self.query | other.query, self.headers | other.headers)


NOBODY = Visitor()
IN_QUERY = Visitor({"token": TOKEN})
IN_HEADER = Visitor(headers={"Authorization": f"token {TOKEN}"})
AS_BEARER = Visitor(headers={"Authorization": f"Bearer {TOKEN}"})
WRONG = Visitor({"token": "a-guess"})
WRONG_HEADER = Visitor(headers={"Authorization": "token a-guess"})


def page_of(origin: str) -> Visitor:
    return Visitor(headers={"Origin": origin})


def may(actions: str) -> Visitor:
    return Visitor(headers={"X-May": actions})


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("parties") / "my_parties.py"
    path.write_text(PARTIES)
    return f"c.PartyroomExtension.target = {str(path)!r}\n"


@pytest.fixture(scope="module")
def plain(start_server: StartServer, parties: str) -> JupyterServer:
    return start_server(parties + AUTHORIZER, base="/some/base/")


@pytest.fixture(scope="module")
def strict(start_server: StartServer, parties: str) -> JupyterServer:
    return start_server(
        parties + f"c.ServerApp.allow_unauthenticated_access = False\nc.ServerApp.allow_origin = {FRIEND!r}"
    )


@pytest.fixture(scope="module")
def with_password(start_server: StartServer, parties: str) -> JupyterServer:
    return start_server(parties + PASSWORD, token="")


class Client:
    """Asks a server as a visitor does; what comes back is a status, and for those let in what the room says."""

    def __init__(self, session: aiohttp.ClientSession, server: JupyterServer, room: str) -> None:
        self._session = session
        self.server = server
        self.room = room

    async def http(self, who: Visitor, method: str = "GET", party: str = "who", path: str = "") -> tuple[int, Any]:
        url = self.server.url(f"parties/{party}/{self.room}{path}")
        async with self._session.request(
            method, url, params=who.query, headers=who.headers, allow_redirects=False
        ) as answer:
            return answer.status, await answer.json() if answer.content_type == "application/json" else None

    async def websocket(self, who: Visitor, party: str = "who") -> tuple[int, Any]:
        url = self.server.url(f"parties/{party}/{self.room}", "ws")
        try:
            async with self._session.ws_connect(url, params=who.query, headers=who.headers) as socket:
                return 101, (await socket.receive_json(timeout=10) if party != "notes" else None)
        except aiohttp.WSServerHandshakeError as refused:
            return refused.status, None

    async def touched(self) -> bool:
        """Whether the room is in memory, or has ever been stored."""
        url = self.server.url("partyroom/status")
        async with self._session.get(url, params={"token": self.server.token, "stored": "1"}) as answer:
            told = await answer.json()
        return self.room in [one["room"] for one in (*told["rooms"], *told["stored"])]


@pytest.fixture
def ask(session: aiohttp.ClientSession, room: str) -> Any:
    return lambda server: Client(session, server, room)


@pytest.mark.parametrize("who", [IN_QUERY, IN_HEADER, AS_BEARER], ids=["query", "header", "bearer"])
@pytest.mark.parametrize("name", ["plain", "strict"])
async def test_a_token_opens_rooms_over_http_and_websocket(
    who: Visitor, name: str, request: pytest.FixtureRequest, ask: Any
) -> None:
    client = ask(request.getfixturevalue(name))
    for status, told in (await client.http(who), await client.http(who, "POST"), await client.websocket(who)):
        user = told.get("user", told)
        assert status in (200, 101)
        assert user["sub"] == user["username"] != ""
        assert user["name"].startswith("Anonymous ")
        assert user.keys() == {"sub", "username", "name", "display_name", "initials", "avatar_url", "color"}


@pytest.mark.parametrize("who", [NOBODY, WRONG, WRONG_HEADER], ids=["no token", "wrong token", "wrong header"])
@pytest.mark.parametrize("name", ["plain", "strict"])
async def test_without_a_valid_token_no_room_is_touched(
    who: Visitor, name: str, request: pytest.FixtureRequest, ask: Any
) -> None:
    client = ask(request.getfixturevalue(name))
    assert (await client.http(who))[0] == 403
    assert (await client.http(who, "POST"))[0] == 403
    assert (await client.websocket(who))[0] == 403
    assert not await client.touched()


async def logged_in(session: aiohttp.ClientSession, server: JupyterServer, password: str) -> tuple[Visitor, str]:
    """A browser's session: its cookies, and the XSRF token in them."""
    async with session.get(server.url("login")) as answer:
        xsrf = answer.cookies["_xsrf"].value
    form = {"password": password, "_xsrf": xsrf}
    cookie = {"Cookie": f"_xsrf={xsrf}"}
    async with session.post(server.url("login"), data=form, headers=cookie, allow_redirects=False) as answer:
        assert answer.status == 302, await answer.text()
        cookies: SimpleCookie = answer.cookies
        kept = "; ".join(
            [f"_xsrf={xsrf}", *(f"{name}={one.value}" for name, one in cookies.items() if name != "_xsrf")]
        )
    return Visitor(headers={"Cookie": kept}), xsrf


@pytest.mark.parametrize(("name", "password"), [("plain", TOKEN), ("with_password", "open sesame")])
async def test_a_browser_session_needs_the_xsrf_token_for_what_changes_something(
    name: str, password: str, request: pytest.FixtureRequest, ask: Any, session: aiohttp.ClientSession
) -> None:
    server = request.getfixturevalue(name)
    client = ask(server)
    browser, xsrf = await logged_in(session, server, password)
    async with session.post(server.url("parties/who/x"), headers=browser.headers) as answer:
        assert (answer.status, await answer.text()) == (403, "'_xsrf' argument missing from POST\n")
    assert (await client.http(browser | Visitor(headers={"X-XSRFToken": "another"}), "POST"))[0] == 403
    if server.token:
        assert not await client.touched()
    first = (await client.http(browser))[1]["user"]
    assert (await client.http(browser | Visitor(headers={"X-XSRFToken": xsrf}), "POST"))[1]["user"] == first
    assert await client.websocket(browser | page_of(f"http://{server.host}")) == (101, first)


async def test_a_page_of_another_origin_uses_nobodys_cookies(
    plain: JupyterServer, ask: Any, session: aiohttp.ClientSession
) -> None:
    client = ask(plain)
    browser, xsrf = await logged_in(session, plain, TOKEN)
    lured = browser | page_of(FOREIGN)
    assert (await client.websocket(lured))[0] == 403
    assert (await client.http(lured))[0] == 403
    assert (await client.http(lured | Visitor(headers={"X-XSRFToken": xsrf}), "POST"))[0] == 404  # Jupyter's own answer
    assert (await client.websocket(browser | page_of("null")))[0] == 403
    assert not await client.touched()


async def test_allowed_origins_may_and_others_may_not(
    strict: JupyterServer, with_password: JupyterServer, ask: Any, session: aiohttp.ClientSession
) -> None:
    by_name, _ = await logged_in(session, strict, TOKEN)
    by_pattern, _ = await logged_in(session, with_password, "open sesame")
    for server, browser, friend in (strict, by_name, FRIEND), (with_password, by_pattern, "https://a.friend.example"):
        client = ask(server)
        assert (await client.websocket(browser | page_of(FOREIGN)))[0] == 403
        assert (await client.websocket(browser | page_of(friend + ".evil.example")))[0] == 403
        assert (await client.websocket(browser | page_of(friend)))[0] == 101
        assert (await client.http(browser | page_of(friend)))[0] == 200


async def test_who_shows_a_token_may_come_from_any_page(plain: JupyterServer, ask: Any) -> None:
    client = ask(plain)
    assert (await client.websocket(IN_QUERY | page_of(FOREIGN)))[0] == 101
    assert (await client.http(IN_HEADER | page_of(FOREIGN), "POST"))[0] == 200


async def test_a_browser_may_ask_before_it_asks(strict: JupyterServer, session: aiohttp.ClientSession) -> None:
    headers = {"Origin": FRIEND, "Access-Control-Request-Method": "POST"}
    async with session.options(strict.url("parties/who/x"), headers=headers) as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == FRIEND
        assert "authorization" in answer.headers["Access-Control-Allow-Headers"]
    async with session.options(strict.url("parties/who/x")) as answer:
        assert answer.status == 403


async def test_without_read_nothing_is_open(plain: JupyterServer, ask: Any) -> None:
    client = ask(plain)
    for who in IN_QUERY | may("none"), IN_QUERY | may("write"):
        for party in "who", "ticker", "notes":
            assert (await client.http(who, party=party))[0] == 403
            assert (await client.http(who, "POST", party=party))[0] == 403
            assert (await client.websocket(who, party))[0] == 403
    assert not await client.touched()


async def test_with_read_alone_documents_are_read_and_other_rooms_closed(plain: JupyterServer, ask: Any) -> None:
    client, reader = ask(plain), IN_QUERY | may("read")
    assert (await client.http(reader, "POST"))[0] == 403
    assert (await client.http(reader, "PATCH", "notes", "/doc"))[0] == 403
    assert (await client.websocket(reader))[0] == 403
    assert not await client.touched()
    assert (await client.http(reader))[0] == 200
    assert (await client.http(reader, party="notes", path="/doc.json")) == (200, {})
    assert (await client.websocket(reader, "notes"))[0] == 101
    assert (await client.websocket(reader, "ticker"))[0] == 101  # its party says so
    assert (await client.websocket(IN_QUERY | may("read,write")))[0] == 101


@pytest.fixture
async def kernel(plain: JupyterServer, session: aiohttp.ClientSession) -> Visitor:
    """A kernel of the server, with what it finds in its environment."""
    async with session.get(plain.url("parties/environment/x"), params={"token": TOKEN}) as answer:
        environ = await answer.json()
    assert environ["PARTYROOM_URL"] == plain.url("").rstrip("/")
    return Visitor(headers={"Authorization": f"Bearer {environ['PARTYROOM_TOKEN']}"})


async def test_a_kernels_secret_opens_the_rooms_and_nothing_else(
    plain: JupyterServer, kernel: Visitor, ask: Any, session: aiohttp.ClientSession
) -> None:
    client, secret = ask(plain), kernel.headers["Authorization"].split()[1]
    for who in kernel, Visitor({"token": secret}), kernel | may("none"):
        status, told = await client.websocket(who)
        assert (status, told["name"].startswith("kernel of ")) == (101, True)
    assert (await client.http(kernel, "POST"))[1]["user"]["username"].startswith("kernel:")
    for path in "api/contents", "api/kernels", "api/me", "partyroom/status", "files/x", "api/sessions":
        async with session.get(plain.url(path), params={"token": secret}, allow_redirects=False) as answer:
            assert answer.status in (302, 403), path
        async with session.get(plain.url(path), headers=kernel.headers, allow_redirects=False) as answer:
            assert answer.status in (302, 403), path
    async with session.get(plain.url("parties/who/x"), params={"token": secret[:-1]}) as answer:
        assert answer.status == 403


async def test_another_hosts_name_is_refused_also_with_a_secret(
    plain: JupyterServer, kernel: Visitor, ask: Any
) -> None:
    client, elsewhere = ask(plain), Visitor(headers={"Host": "rebound.example"})
    for who in IN_HEADER | elsewhere, kernel | elsewhere:
        assert (await client.http(who))[0] == 403
        assert (await client.websocket(who))[0] == 403
    assert not await client.touched()


async def test_no_secret_is_in_the_log(plain: JupyterServer, kernel: Visitor, ask: Any) -> None:
    await ask(plain).http(Visitor({"token": kernel.headers["Authorization"].split()[1]}))
    assert kernel.headers["Authorization"].split()[1] not in plain.log()
    assert TOKEN not in plain.log()
