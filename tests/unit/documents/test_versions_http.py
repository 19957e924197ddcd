"""History over HTTP: lists, contents, differences, restoring and undo, and who may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from partyroom import Connection, DocumentParty, Lobby, Request, Response
from partyroom.auth import jwt
from partyroom.documents.versions import Versioning
from partyroom.documents.versions_http import answers
from partyroom.testing import fetch, visit
from tests.unit.documents.client import PATH, Client, join

JSON = {"content-type": "application/json"}
ELSEWHERE = {"origin": "https://elsewhere.example", **JSON}
token = jwt("a secret of at least thirty-two bytes", write="write")


class Notes(DocumentParty):
    """Documents for everybody, with few versions."""

    versioning = Versioning(named=2)


class Private(DocumentParty):
    """Documents that nobody reads or writes over HTTP."""

    def can_read(self, connection: Connection) -> bool:
        return True

    def can_write(self, connection: Connection) -> bool:
        return True


class Signed(DocumentParty):
    """Documents for tokens."""

    on_before_connect = token
    can_write = token.can_write
    may_write = token.may_write


class Oblivious(DocumentParty):
    """Documents without history."""

    versioning = None


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    parties = {"notes": Notes, "private": Private, "signed": Signed, "oblivious": Oblivious}
    async with Lobby(parties) as lobby:
        yield lobby


async def ask(
    lobby: Lobby, path: str, method: str = "GET", body: Any = None, headers: dict[str, str] = JSON, base: str = PATH
) -> Response:
    return await fetch(
        lobby, f"{base}/{path}", method, headers=headers, body=b"" if body is None else json.dumps(body).encode()
    )


async def save(lobby: Lobby, name: str) -> int:
    answer = await ask(lobby, "versions", "POST", {"name": name})
    assert answer.status == 201
    made: int = json.loads(answer.body)["id"]
    assert answer.headers["location"] == f"{PATH}/versions/{made}"
    return made


async def test_versions_are_saved_listed_read_compared_restored_and_deleted(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "one\n")
        first = await save(lobby, "first")
        await ada.insert(4, "two\n")
        second = await save(lobby, "second")

        listed = json.loads((await ask(lobby, "versions")).body)
        assert [(version["id"], version["name"]) for version in listed] == [(second, "second"), (first, "first")]
        assert listed[0]["authors"] == [{"who": "client:ada", "name": ""}]

        assert (await ask(lobby, f"versions/{first}.txt")).text() == "one\n"
        assert json.loads((await ask(lobby, f"versions/{second}.json")).body) == {"body": "one\ntwo\n"}
        assert (
            await ask(lobby, f"versions/{first}", headers={"accept": "application/json"})
        ).body == b'{"body":"one\\n"}'

        changes = json.loads((await ask(lobby, f"versions/{second}/changes")).body)
        assert (changes["from"], changes["to"]) == (first, second)
        (change,) = changes["changes"]
        assert (change["insert"], change["by"]["who"]) == ("two\n", "client:ada")
        unified = (await ask(lobby, f"versions/{first}/diff?to={second}&as=text")).text()
        assert unified == f"--- body@{first}\n+++ body@{second}\n@@ -1,2 +1,3 @@\n one\n+two\n \n"
        same = json.loads((await ask(lobby, f"versions/{second}/diff?to=now")).body)
        assert same == {"from": second, "to": "now", "changes": []}

        assert (await ask(lobby, f"versions/{first}/restore", "POST")).status == 200
        await ada.read()
        assert str(ada.text) == "one\n"
        assert (await ask(lobby, f"versions/{first}", "DELETE")).status == 204
        assert (await ask(lobby, f"versions/{first}")).status == 404


async def test_a_state_is_an_update_that_a_client_can_take(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "then")
        version = await save(lobby, "one")
        await ada.insert(0, "now ")
        state = await ask(lobby, f"versions/{version}")
        async with visit(lobby, "/parties/notes/copy") as socket:
            copy = Client(socket)
            copy.doc.apply_update(state.body)
            assert str(copy.text) == "then"


async def test_undo_and_redo(lobby: Lobby) -> None:
    async with join(lobby, "?_pk=ada") as ada:
        await ada.insert(0, "oops")
        for what, done, text in (
            ("undo", True, ""),
            ("undo", False, ""),
            ("redo", True, "oops"),
            ("redo", False, "oops"),
        ):
            answer = await ask(lobby, what, "POST", {"who": "client:ada"})
            assert json.loads(answer.body) == {"done": done}
            await ada.read()
            assert str(ada.text) == text


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "versions", {"name": ""}, 400),
        ("POST", "versions", {"name": 1}, 400),
        ("POST", "versions", ["name"], 400),
        ("GET", "versions/17", None, 404),
        ("GET", "versions/x", None, 404),
        ("GET", "versions/1.html", None, 404),
        ("GET", "versions/99999999999999999999", None, 404),
        ("POST", "versions/17/restore", None, 404),
        ("DELETE", "versions/17", None, 404),
        ("GET", "versions/17/changes", None, 404),
        ("GET", "versions/17/diff", None, 404),
        ("GET", "versions/17/nothing", None, 404),
        ("PUT", "versions", {"name": "x"}, 404),
        ("POST", "undo", {}, 400),
    ],
)
async def test_what_makes_no_sense_is_refused(lobby: Lobby, method: str, path: str, body: Any, status: int) -> None:
    assert (await ask(lobby, path, method, body)).status == status


async def test_one_named_version_too_many_is_409_and_says_what_to_do(lobby: Lobby) -> None:
    for name in ("one", "two"):
        await save(lobby, name)
    answer = await ask(lobby, "versions", "POST", {"name": "three"})
    assert (answer.status, "delete one" in answer.text()) == (409, True)


WRITING = [
    ("POST", "versions", {"name": "x"}),
    ("POST", "versions/1/restore", None),
    ("DELETE", "versions/1", None),
    ("POST", "undo", {"who": "client:ada"}),
    ("POST", "redo", {"who": "client:ada"}),
]


@pytest.mark.parametrize(("method", "path", "body"), WRITING)
async def test_a_page_of_another_site_may_not_write(lobby: Lobby, method: str, path: str, body: Any) -> None:
    answer = await ask(lobby, path, method, body, ELSEWHERE)
    assert (answer.status, "another site" in answer.text()) == (403, True)


@pytest.mark.parametrize("path", ["versions", "undo"])
async def test_a_form_may_not_write(lobby: Lobby, path: str) -> None:
    assert (await ask(lobby, path, "POST", {"name": "x", "who": "x"}, {"content-type": "text/plain"})).status == 415


@pytest.mark.parametrize(("method", "path", "body"), [*WRITING, ("GET", "versions", None), ("GET", "versions/1", None)])
async def test_where_the_document_is_not_given_out_its_history_is_not_either(
    lobby: Lobby, method: str, path: str, body: Any
) -> None:
    assert (await ask(lobby, path, method, body, base="/parties/private/today")).status == 403


async def test_a_token_that_may_not_write_may_read_history_and_not_go_back(lobby: Lobby) -> None:
    statuses = {}
    for write in (True, False):
        headers = {"authorization": f"Bearer {token.sign({'sub': 'ada', 'name': 'Ada', 'write': write}, 60)}", **JSON}
        asked = await ask(lobby, "versions", "POST", {"name": "x"}, headers, "/parties/signed/today")
        listed = await ask(lobby, "versions", headers=headers, base="/parties/signed/today")
        statuses[write] = (asked.status, listed.status)
    assert statuses == {True: (201, 200), False: (403, 200)}
    assert json.loads(listed.body)[0]["saved_by"] == {"who": "user:ada", "name": "Ada"}


async def test_a_party_without_history_says_so(lobby: Lobby) -> None:
    answer = await ask(lobby, "versions", base="/parties/oblivious/today")
    assert (answer.status, answer.text()) == (404, "this document keeps no history\n")


def test_requests_of_applications_are_not_taken_for_history() -> None:
    assert not answers(Request(subpath="version"))
    assert answers(Request(subpath="versions/1/diff"))
