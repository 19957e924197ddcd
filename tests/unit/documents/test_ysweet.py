"""YSweetParty: y-sweet's HTTP requests, and who may make them. The published SDK meets it in tests/interop."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pycrdt import Doc, Text

from partyroom import Connection, Lobby, MemoryStore, Refused, Response
from partyroom.auth import jwt
from partyroom.documents.ysweet import YSweetParty, paths
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.stores.base import Batch
from partyroom.testing import fetch, settle, visit

SECRET = "a secret of at least thirty-two bytes"
SERVER = {"authorization": f"Bearer {SECRET}"}


class Notes(YSweetParty):
    """Documents with tokens."""

    secret = SECRET


class Open(YSweetParty):
    """Documents for everybody."""


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Notes}, rewrite=paths("notes")) as lobby:
        yield lobby


@pytest.fixture
async def open_lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"open": Open}, rewrite=paths("open")) as lobby:
        yield lobby


def typed(text: str) -> bytes:
    doc = Doc[Text]()
    doc.get("body", type=Text).insert(0, text)
    return doc.get_update()


def content(answer: Response) -> str:
    doc = Doc[Text]()
    doc.apply_update(answer.body)
    return str(doc.get("body", type=Text))


async def token(lobby: Lobby, document: str = "today", **wanted: Any) -> dict[str, Any]:
    body = json.dumps(wanted).encode()
    answer = await fetch(lobby, f"/doc/{document}/auth", "POST", headers=SERVER, body=body)
    assert answer.status == 200, answer.text()
    value: dict[str, Any] = json.loads(answer.body)
    return value


def bearer(token: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {token['token']}"}


async def test_documents_are_created_with_and_without_a_name(lobby: Lobby) -> None:
    named = await fetch(lobby, "/doc/new", "POST", headers=SERVER, body=b'{"docId":"a/b"}')
    assert json.loads(named.body) == {"docId": "a/b"}
    ids = {(await fetch(lobby, "/doc/new", "POST", headers=SERVER)).body for _ in range(3)}
    assert len(ids) == 3
    assert (await fetch(lobby, "/doc/new", "POST", headers=SERVER, body=b"[")).status == 400


async def test_a_token_leads_to_its_document_and_reads_and_writes_it(lobby: Lobby) -> None:
    given = await token(lobby, userId="ada")
    assert (given["url"], given["docId"]) == ("ws://localhost/d/today/ws", "today")
    async with visit(lobby, f"/d/today/ws/today?token={given['token']}") as ada:
        assert ada.connection is not None
        assert ada.connection.request.user["sub"] == "ada"
        answer = await fetch(lobby, "/d/today/update", "POST", headers=bearer(given), body=typed("hello"))
        assert answer.status == 200
        await settle()
        assert yjs.update(typed("hello"))[:2] in [bytes(message)[:2] for message in ada.transport.messages]  # type: ignore[arg-type]
    assert content(await fetch(lobby, "/d/today/as-update", headers=bearer(given))) == "hello"


async def test_a_reader_reads_and_changes_nothing(lobby: Lobby) -> None:
    given = await token(lobby, authorization="read-only")
    answer = await fetch(lobby, "/d/today/update", "POST", headers=bearer(given), body=typed("no"))
    assert answer.status == 403
    async with visit(lobby, f"/d/today/ws/today?token={given['token']}") as bob:
        await bob.send(yjs.update(typed("no")))
        await settle()
    assert content(await fetch(lobby, "/d/today/as-update", headers=bearer(given))) == ""


async def test_the_server_needs_no_token_and_a_client_cannot_make_any(lobby: Lobby) -> None:
    assert (await fetch(lobby, "/doc/today/update", "POST", headers=SERVER, body=typed("hi"))).status == 200
    assert content(await fetch(lobby, "/doc/today/as-update", headers=SERVER)) == "hi"
    given = await token(lobby)
    for path in "/doc/new", "/doc/today/auth":
        for headers in {}, bearer(given), {"authorization": f"Bearer {SECRET}x"}, {"authorization": "Bearer é"}:
            assert (await fetch(lobby, path, "POST", headers=headers)).status == 401
        assert (await fetch(lobby, f"{path}?token={SECRET}", "POST")).status == 401, "secrets in addresses are logged"


@pytest.mark.parametrize("path", ["/d/today/as-update", "/parties/notes/today/doc", "/parties/notes/today"])
async def test_a_document_is_closed_by_whatever_path_without_its_own_token(lobby: Lobby, path: str) -> None:
    other = await token(lobby, "tomorrow")
    ours = jwt(SECRET, rooms="doc", write="write").sign({"doc": "*"}, 60)  # the same secret, for another purpose
    for headers, expected in ({}, 401), (bearer(other), 403), ({"authorization": f"Bearer {ours}"}, 401):
        assert (await fetch(lobby, path, headers=headers)).status == expected
    for query in "", f"?token={other['token']}", f"?token={ours}", f"?token={SECRET}":
        for socket in f"/d/today/ws/today{query}", f"/parties/notes/today{query}":
            with pytest.raises(Refused, match=r"40[13]"):
                async with visit(lobby, socket):
                    pass


async def test_a_token_expires_when_it_was_asked_to(lobby: Lobby) -> None:
    ours = jwt(SECRET, rooms="doc", audience="y-sweet")
    claims = ours.verify((await token(lobby, validForSeconds=60))["token"])
    assert isinstance(claims, dict)
    assert claims["exp"] - claims["iat"] == 60
    late = ours.sign({"doc": "today"}, seconds=-60)
    answer = await fetch(lobby, "/d/today/as-update", headers={"authorization": f"Bearer {late}"})
    assert (answer.status, answer.text()) == (401, "The token has expired\n")


async def test_no_token_is_made_that_would_open_more_than_one_document(lobby: Lobby) -> None:
    answer = await fetch(lobby, "/doc/team*/auth", "POST", headers=SERVER)
    assert (answer.status, "other documents" in answer.text()) == (400, True)


async def test_what_is_no_update_is_refused_and_harms_nobody(lobby: Lobby) -> None:
    for body in b"", b"junk", typed("x")[:-1], b"\xff" * 100:
        assert (await fetch(lobby, "/d/today/update", "POST", headers=SERVER, body=body)).status == 400
    assert (await fetch(lobby, "/d/today/as-update", headers=SERVER)).status == 200


class Stuck(MemoryStore):
    """A store whose disk waits for a word."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        await self.free.wait()
        await super().apply(address, batch, fence=fence)


async def test_an_update_is_on_disk_when_it_is_answered() -> None:
    store = Stuck()
    async with Lobby({"notes": Notes}, store=store, rewrite=paths("notes")) as lobby:
        writing = asyncio.create_task(fetch(lobby, "/d/today/update", "POST", headers=SERVER, body=typed("kept")))
        await settle()
        assert content(await fetch(lobby, "/d/today/as-update", headers=SERVER)) == "kept", "live already"
        assert not writing.done()
        store.free.set()
        assert (await writing).status == 200


async def test_without_a_secret_everybody_may_but_for_other_sites_pages(open_lobby: Lobby) -> None:
    given = json.loads((await fetch(open_lobby, "/doc/today/auth", "POST")).body)
    assert given.keys() == {"url", "baseUrl", "docId", "authorization"}
    assert (await fetch(open_lobby, "/d/today/update", "POST", body=typed("x"))).status == 200
    page = {"origin": "https://evil.example"}
    assert (await fetch(open_lobby, "/d/today/update", "POST", headers=page, body=typed("y"))).status == 403
    assert content(await fetch(open_lobby, "/d/today/as-update")) == "x"
    reader = await fetch(open_lobby, "/doc/today/auth", "POST", body=b'{"authorization":"read-only"}')
    assert (reader.status, "secret" in reader.text()) == (400, True)


async def test_clients_are_told_the_public_address() -> None:
    class Public(Notes):
        public_url = "https://docs.example.com"

    async with Lobby({"public": Public}, rewrite=paths("public")) as lobby:
        assert (await token(lobby))["url"] == "wss://docs.example.com/d/today/ws"


async def test_who_may_not_see_every_document_over_websocket_does_not_get_it_over_http() -> None:
    class Picky(Notes):
        def can_read(self, connection: Connection) -> bool:
            return False

    async with Lobby({"picky": Picky}, rewrite=paths("picky")) as lobby:
        assert (await fetch(lobby, "/d/today/as-update", headers=SERVER)).status == 403


def test_a_secret_that_is_too_short_fails_where_it_is_written() -> None:
    with pytest.raises(ValueError, match="at least 32 bytes"):
        type("Weak", (YSweetParty,), {"secret": "hunter2"})
