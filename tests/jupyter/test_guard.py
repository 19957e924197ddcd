"""What Jupyter's authorizer grants holds in every party, whatever the party allows."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from partyroom_jupyter.guard import guarded
from partyroom_jupyter.visit import Visit
from pycrdt import Doc, Text

from partyroom import Connection, DocumentParty, HocuspocusParty, Lobby, Party, Refused, Request, Response
from partyroom.auth import jwt
from partyroom.local import LocalSocket
from partyroom.protocols import hocuspocus, yjs
from partyroom.testing import visit


class Echo(Party):
    """Says what it hears."""

    def on_message(self, connection: Connection, message: str | bytes) -> None:
        connection.send(message)


class Board(Echo):
    open_to_readers = True


class Notes(DocumentParty):
    heard: ClassVar[list[str]] = []

    def on_custom_message(self, connection: Connection, message: str) -> None:
        self.heard.append(message)


class Locked(DocumentParty):
    def can_write(self, connection: Connection) -> bool:
        return False


class Hub(HocuspocusParty):
    documents = "notes"


TOKENS = jwt("a secret of at least thirty-two bytes", write="write")


class Signed(DocumentParty):
    on_before_connect = TOKENS
    can_write = TOKENS.can_write
    may_write = TOKENS.may_write


PARTIES: list[type[Party]] = [Echo, Board, Notes, Locked, Hub, Signed]


@pytest.fixture
def noted() -> list[str]:
    return []


@pytest.fixture
async def lobby(noted: list[str]) -> AsyncIterator[Lobby]:
    Notes.heard.clear()
    parties = {one.__name__.lower(): guarded(one, lambda: noted.append("x")) for one in PARTIES}
    async with Lobby(parties) as lobby:
        yield lobby


@asynccontextmanager
async def joined(lobby: Lobby, path: str, **granted: bool) -> AsyncIterator[LocalSocket]:
    """A visitor who came in through Jupyter with what is ``granted``."""
    admitted = await lobby.admit(Visit.of(Request.build(path), user={"sub": "ada"}, **granted))
    if isinstance(admitted, Response):
        raise Refused(admitted.status, admitted.body.decode())
    async with LocalSocket(admitted.room, admitted.request) as socket:
        yield socket


def edit(typed: str) -> bytes:
    doc = Doc[Any]()
    doc.get("body", type=Text).insert(0, typed)
    return yjs.update(doc.get_update())


async def body(lobby: Lobby, path: str) -> str:
    """The document's text, as a reader gets it over HTTP."""
    answer = await lobby.fetch(Visit.of(Request.build(f"{path}/doc.txt?root=body")))
    assert answer.status == 200
    return answer.text()


async def test_readers_do_not_join_rooms_whose_messages_change_things(lobby: Lobby) -> None:
    with pytest.raises(Refused, match="permission on this server is to read"):
        async with joined(lobby, "/parties/echo/x"):
            pass
    assert list(lobby.rooms()) == []
    async with joined(lobby, "/parties/echo/x", may_write=True) as writer:
        await writer.send("hello")
        assert await writer.receive() == "hello"


async def test_a_party_may_be_open_to_readers(lobby: Lobby) -> None:
    async with joined(lobby, "/parties/board/x") as reader:
        await reader.send("hello")
        assert await reader.receive() == "hello"


async def test_readers_see_documents_and_do_not_change_them(lobby: Lobby) -> None:
    path = "/parties/notes/today"
    async with joined(lobby, path) as reader, joined(lobby, path, may_write=True) as writer:
        await reader.send(edit("by the reader"))
        await reader.send(yjs.sync_status(b"\x01"))
        await writer.send(edit("by the writer"))
        assert await body(lobby, path) == "by the writer"
        while b"by the writer" not in await reader.receive():
            pass


async def test_readers_do_not_change_documents_over_http_either(lobby: Lobby) -> None:
    patch = {"body": b'[{"op": "add", "path": "/body/0", "value": "x", "root": "text"}]', "method": "PATCH"}
    headers = {"content-type": "application/json"}
    ask = Request.build("/parties/notes/today/doc", headers=headers, **patch)  # type: ignore[arg-type]
    assert (await lobby.fetch(Visit.of(ask))).status == 403
    assert (await lobby.fetch(Visit.of(ask, may_write=True))).status == 204
    locked = ask.replace(path="/parties/locked/today/doc")
    assert (await lobby.fetch(Visit.of(locked, may_write=True))).status == 403  # as documents.party has it


async def test_readers_do_not_call_programs_through_documents(lobby: Lobby) -> None:
    async with (
        joined(lobby, "/parties/notes/today") as reader,
        joined(lobby, "/parties/notes/today", may_write=True) as writer,
    ):
        await reader.send("by the reader")
        await writer.send("by the writer")
    assert Notes.heard == ["by the writer"]


async def test_what_the_party_refuses_stays_refused(lobby: Lobby) -> None:
    async with joined(lobby, "/parties/locked/x", may_write=True) as writer:
        await writer.send(edit("typed"))
    assert await body(lobby, "/parties/locked/x") == ""


async def test_a_party_that_sets_another_user_grants_no_more_than_jupyter(lobby: Lobby) -> None:
    token = TOKENS.sign({"sub": "bob", "write": True}, seconds=60)
    path = "/parties/signed/x"
    async with joined(lobby, f"{path}?token={token}") as reader:
        await reader.send(edit("by the reader"))
    async with joined(lobby, f"{path}?token={token}", may_write=True) as writer:
        await writer.send(edit("by the writer"))
    answer = await lobby.fetch(Visit.of(Request.build(f"{path}/doc.txt?root=body&token={token}")))
    assert answer.text() == "by the writer"


@pytest.mark.parametrize("writes", [True, False])
async def test_hocuspocus_clients_may_in_documents_what_they_may_here(lobby: Lobby, writes: bool) -> None:
    today = hocuspocus.address("today")
    async with joined(lobby, "/parties/hub/any", may_write=writes) as client:
        await client.send(today + hocuspocus.token("", "4.8.0"))
        assert await client.receive() == today + hocuspocus.authenticated(write=writes)


async def test_server_code_may_do_everything(lobby: Lobby) -> None:
    async with visit(lobby, "/parties/echo/x") as code:
        await code.send("hello")
        assert await code.receive() == "hello"


async def test_people_who_do_something_are_noted_and_others_are_not(lobby: Lobby, noted: list[str]) -> None:
    async with (
        joined(lobby, "/parties/notes/today", may_write=True) as person,
        joined(lobby, "/parties/notes/today", may_write=True, by_kernel=True) as kernel,
        joined(lobby, "/parties/notes/today") as reader,
    ):
        await kernel.send(edit("by a kernel"))
        await reader.send(edit("by a reader"))
        await person.send(yjs.query_awareness())
        assert noted == []
        await person.send(edit("by a person"))
        assert noted == ["x"]
    async with (
        joined(lobby, "/parties/echo/x", may_write=True) as person,
        joined(lobby, "/parties/echo/x", may_write=True, by_kernel=True) as kernel,
    ):
        await kernel.send("hello")
        assert noted == ["x"]
        await person.send("hello")
        assert noted == ["x", "x"]


def test_a_guarded_party_goes_by_its_own_name() -> None:
    for party in PARTIES:
        made = guarded(party, lambda: None)
        assert (made.__name__, made.__module__, made.__doc__) == (party.__name__, party.__module__, party.__doc__)
        assert issubclass(made, party)
