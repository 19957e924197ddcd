"""Documents over HTTP: read in several forms, edited live for everybody, and only by who may."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pycrdt import Array, Doc, Map, Text

from partyroom import Connection, DocumentParty, Limits, Lobby, MemoryStore, Request, Response
from partyroom.auth import jwt
from partyroom.crons import Cron
from partyroom.documents import http
from partyroom.http import Address
from partyroom.protocols import yjs
from partyroom.protocols.content import read
from partyroom.protocols.guard import state_vector
from partyroom.protocols.shared import DEEPEST
from partyroom.stores.base import Batch
from partyroom.testing import fetch, settle
from tests.unit.documents.client import PATH, Shared, join
from tests.unit.protocols.test_content import ARRAY, item, update

BYTES = {"content-type": "application/octet-stream"}
JSON = {"content-type": "application/json"}
ELSEWHERE = {"origin": "https://evil.example"}


class Open(DocumentParty):
    """A document that everybody may read and edit."""


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Open}, origins=["https://app.example"]) as lobby:
        yield lobby


def written(name: str = "body", text: str = "hello") -> bytes:
    doc: Doc[Any] = Doc()
    doc.get(name, type=Text).insert(0, text)
    return doc.get_update()


async def get(lobby: Lobby, form: str, **headers: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await fetch(lobby, f"{PATH}/{form}", headers=named)


async def post(lobby: Lobby, update: bytes, **headers: str) -> Response:
    return await fetch(lobby, PATH + "/doc", "POST", headers={**BYTES, **headers}, body=update)


async def patch(lobby: Lobby, *operations: Any, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps(operations).encode()
    return await fetch(lobby, PATH + "/doc", "PATCH", headers={**JSON, **(headers or {})}, body=body)


def value(response: Response) -> Any:
    assert response.status == 200, response.text()
    return json.loads(response.body)


# reading ------------------------------------------------------------------------------------------------------------


async def test_a_document_is_read_as_an_update_as_json_and_as_text(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "hällo 👋🏽")
        ada.doc.get("todo", type=Array).append(Map({"what": "milk"}))
        await ada.socket.send(yjs.update(ada.doc.get_update()))
    response = await get(lobby, "doc")
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert read(response.body).json() == {"body": "hällo 👋🏽", "todo": [{"what": "milk"}]}
    assert value(await get(lobby, "doc.json")) == {"body": "hällo 👋🏽", "todo": [{"what": "milk"}]}
    assert value(await get(lobby, "doc.json?root=todo")) == [{"what": "milk"}]
    assert value(await get(lobby, "doc.json?root=todo&type=text")) == ""
    assert value(await get(lobby, "doc.json?root=body&type=delta")) == [{"insert": "hällo 👋🏽"}]
    assert value(await get(lobby, "doc.json?root=unknown")) is None
    assert value(await get(lobby, "doc.json?root=unknown&type=array")) == []
    for form, kind in ("doc.txt", "text/plain"), ("doc.md?root=body", "text/markdown"):
        response = await get(lobby, form)
        assert response.headers["content-type"] == f"{kind}; charset=utf-8"
        assert response.text() == "hällo 👋🏽"


async def test_the_form_may_be_named_by_what_the_request_accepts(lobby: Lobby) -> None:
    await post(lobby, written())
    assert value(await get(lobby, "doc", accept="application/json")) == {"body": "hello"}
    assert (await get(lobby, "doc", accept="text/html, text/markdown;q=0.9, */*;q=0.1")).text() == "hello"
    response = await get(lobby, "doc", accept="text/html, */*")
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["vary"] == "accept"


async def test_the_text_of_several_roots_has_to_be_named(lobby: Lobby) -> None:
    await post(lobby, written("one", "1"))
    await post(lobby, written("two\n", "2"))
    response = await get(lobby, "doc.txt")
    assert (response.status, response.text()) == (400, "Name a root: ?root=...\n'one'\n'two\\n'\n")
    assert (await get(lobby, "doc.txt?root=two%0A")).text() == "2"


@pytest.mark.parametrize(
    "form", ["doc.json?root=x&type=html", "doc.txt?root=x&type=delta", "doc.json?type=text", "doc?sv=!"]
)
async def test_a_question_that_makes_no_sense_is_400(lobby: Lobby, form: str) -> None:
    assert (await get(lobby, form)).status == 400


async def test_only_what_somebody_lacks_is_sent_to_who_shows_a_state_vector(lobby: Lobby) -> None:
    mine: Doc[Any] = Doc()
    mine.apply_update(written(text="long ago " * 100))
    await post(lobby, mine.get_update())
    await post(lobby, written("new", "news"))
    for encode in (b64encode, urlsafe_b64encode, lambda vector: urlsafe_b64encode(vector).rstrip(b"=")):
        response = await get(lobby, "doc?sv=" + encode(mine.get_state()).decode())
        assert len(response.body) < 50
        copy: Doc[Any] = Doc()
        copy.apply_update(mine.get_update())
        copy.apply_update(response.body)
        assert read(copy.get_update()).json() == {"body": "long ago " * 100, "new": "news"}


async def test_what_has_not_changed_is_not_sent_again() -> None:
    store = MemoryStore()
    tags: list[dict[str, str]] = []
    for _ in range(2):  # and the tags are the same after a restart
        async with Lobby({"notes": Open}, store=Shared(store)) as lobby:
            if not tags:
                for number in range(30):
                    await post(lobby, written(f"root {number}", "x" * number))
            forms = ("doc", "doc.json", "doc.txt?root=root 1")
            tags.append({form: (await get(lobby, form)).headers["etag"] for form in forms})
            for form, tag in tags[0].items():
                again = await get(lobby, form, if_none_match=f'"other", {tag}')
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
                assert (await get(lobby, form, if_none_match='"other"')).status == 200
    assert tags[0] == tags[1]
    assert len(set(tags[0].values())) == 3
    async with Lobby({"notes": Open}, store=Shared(store)) as lobby:
        await patch(lobby, {"op": "remove", "path": "/root 9/0"})  # a deletion alone changes them too
        assert (await get(lobby, "doc", if_none_match=tags[0]["doc"])).status == 200


async def test_a_large_document_is_read_while_the_event_loop_turns(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc: Doc[Any] = Doc()
    array = doc.get("list", type=Array)
    array.extend([f"value {number}" for number in range(2_000)])
    with doc.transaction():
        for at in range(1_900, 0, -2):
            del array[at]
    await post(lobby, doc.get_update())
    aside: list[Any] = []
    original = asyncio.to_thread

    async def to_thread(work: Any, *arguments: Any) -> Any:
        aside.append(work)
        return await original(work, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    first, second = await asyncio.gather(get(lobby, "doc.json"), get(lobby, "doc.json?root=list"))
    assert value(first)["list"] == value(second) == array.to_py()
    assert aside.count(read) == 1, "the second found it read"
    assert (await patch(lobby, {"op": "add", "path": "/list/-", "value": 1})).status == 204
    assert http._edited in aside


async def test_a_document_that_nobody_can_write_out_is_409(lobby: Lobby) -> None:
    nested = [item(ARRAY, parent="list"), *(item(ARRAY, parent=(7, level)) for level in range(DEEPEST))]
    assert (await post(lobby, update({7: nested}))).status == 204
    response = await get(lobby, "doc.json")
    assert (response.status, "deep" in response.text()) == (409, True)
    assert (await get(lobby, "doc")).status == 200


# writing ------------------------------------------------------------------------------------------------------------


async def test_an_update_that_is_posted_reaches_everybody_and_is_stored() -> None:
    store = MemoryStore()
    async with Lobby({"notes": Open}, store=Shared(store)) as lobby, join(lobby) as ada:
        assert (await post(lobby, written())).status == 204
        await ada.read()
        assert str(ada.text) == "hello"
    async with Lobby({"notes": Open}, store=Shared(store)) as lobby:
        assert (await get(lobby, "doc.txt")).text() == "hello"


async def test_an_edit_is_answered_when_it_is_on_disk() -> None:
    store = Slow()
    async with Lobby({"notes": Open}, store=store) as lobby, join(lobby) as ada:
        answers = [
            asyncio.create_task(post(lobby, written())),
            asyncio.create_task(patch(lobby, {"op": "add", "path": "/more/0", "value": "!", "root": "text"})),
        ]
        await settle()
        await ada.read()
        assert str(ada.text) == "hello", "others see it before"
        assert not any(answer.done() for answer in answers)
        store.open.set()
        assert [(await answer).status for answer in answers] == [204, 204]


async def test_what_is_no_update_is_refused_and_harms_nobody(lobby: Lobby) -> None:
    await post(lobby, written())
    for nonsense in (b"", b"\xff\xff", written()[:-3], b"\x01\x01\x07\x00\x44\x00" + b"x" * 10):
        response = await post(lobby, nonsense)
        assert response.status == 400, nonsense
        assert response.text().strip()
    assert (await post(lobby, written(), **{"content-type": "text/plain"})).status == 415
    assert (await fetch(lobby, PATH + "/doc", "POST", body=written())).status == 415
    assert (await fetch(lobby, PATH + "/doc", "DELETE")).headers["allow"] == "GET, HEAD, POST, PATCH"
    assert (await fetch(lobby, PATH + "/doc.json", "POST")).headers["allow"] == "GET, HEAD"
    assert (await get(lobby, "doc.txt")).text() == "hello"


async def test_an_edit_that_is_too_large_is_413() -> None:
    class Small(DocumentParty):
        limits = Limits(message=100)

    async with Lobby({"notes": Small}) as lobby:
        assert (await post(lobby, written(text="x" * 101))).status == 413
        assert (await post(lobby, written(text="x" * 50))).status == 204


async def test_a_patch_is_live_for_everybody_and_its_places_are_characters(lobby: Lobby) -> None:
    async with join(lobby) as ada:
        await ada.insert(0, "👋🏽 hello")
        answer = await patch(
            lobby,
            {"op": "test", "path": "/body/3", "value": "hello"},
            {"op": "replace", "path": "/body/3", "count": 5, "value": "world"},
            {"op": "add", "path": "/todo/-", "value": {"what": "milk"}, "type": "map", "root": "array"},
            {"op": "add", "path": "/todo/0/done", "value": False},
        )
        assert (answer.status, answer.body) == (204, b"")
        await ada.read()
        assert str(ada.text) == "👋🏽 world"
        assert ada.doc.get("todo", type=Array).to_py() == [{"what": "milk", "done": False}]


async def test_a_patch_of_which_one_operation_fails_changes_nothing(lobby: Lobby) -> None:
    await post(lobby, written())
    before = (await get(lobby, "doc")).headers["etag"]
    response = await patch(
        lobby,
        {"op": "add", "path": "/body/0", "value": "x"},
        {"op": "test", "path": "/body", "value": "hello"},
    )
    assert (response.status, response.text()) == (409, "Operation 1: /body is not what the test expects\n")
    assert (await get(lobby, "doc")).headers["etag"] == before
    assert value(await get(lobby, "doc.json")) == {"body": "hello"}


async def test_a_patch_may_depend_on_the_state_that_was_read(lobby: Lobby) -> None:
    await post(lobby, written())
    for form in ("doc", "doc.json", "doc.txt"):
        stale = (await get(lobby, form)).headers["etag"]
        add = {"op": "add", "path": "/body/-", "value": "!"}
        assert (await patch(lobby, add, headers={"if-match": stale})).status == 204
        assert (await patch(lobby, add, headers={"if-match": stale})).status == 412
    assert (await patch(lobby, add, headers={"if-match": "*"})).status == 204
    assert (await get(lobby, "doc.txt")).text() == "hello!!!!"


async def test_two_patches_with_the_same_test_do_not_both_pass(lobby: Lobby) -> None:
    await patch(lobby, {"op": "add", "path": "/state/n", "value": 0, "root": "map"})

    async def count() -> int:
        seen = value(await get(lobby, "doc.json?root=state"))["n"]
        test, add = (
            {"op": "test", "path": "/state/n", "value": seen},
            {"op": "add", "path": "/state/n", "value": seen + 1},
        )
        return (await patch(lobby, test, add)).status

    statuses = await asyncio.gather(*(count() for _ in range(20)))
    assert value(await get(lobby, "doc.json?root=state"))["n"] == statuses.count(204) >= 1
    assert set(statuses) <= {204, 409}


async def test_a_patch_merges_with_what_others_write_while_it_is_worked_out(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "MUCH", 0)
    original, tried = asyncio.to_thread, 0
    async with join(lobby) as ada:
        await ada.insert(0, "middle")

        async def to_thread(work: Any, *arguments: Any) -> Any:
            nonlocal tried
            done = await original(work, *arguments)
            if work is http._edited:
                tried += 1
                if tried < 3:
                    await ada.insert(0, "front ")
            return done

        monkeypatch.setattr(asyncio, "to_thread", to_thread)
        assert (await patch(lobby, {"op": "add", "path": "/body/6", "value": " end"})).status == 204
        assert tried == 1
        await ada.read()
        assert str(ada.text) == "front middle end"
        test = {"op": "test", "path": "/body/0", "value": "front"}
        assert (await patch(lobby, test, {"op": "add", "path": "/body/-", "value": "!"})).status == 204
        assert tried == 3, "tested again, because somebody had edited meanwhile"
        await ada.read()
        assert str(ada.text) == "front front middle end!"


async def test_the_patches_of_a_room_are_by_one_client(lobby: Lobby) -> None:
    for _ in range(5):
        await patch(lobby, {"op": "add", "path": "/body/0", "value": "x", "root": "text"})
    assert (await get(lobby, "doc.txt")).text() == "xxxxx"
    state = state_vector(doc_of(await get(lobby, "doc")).get_state())
    assert list(state.values()) == [5]


@pytest.mark.parametrize(
    "body", [b"", b"{", b"{}", b"\xff", b'[{"op": NaN}]', b'[{"op":"add","path":"/a/0","value":"\\ud800"}]']
)
async def test_what_is_no_patch_is_400(lobby: Lobby, body: bytes) -> None:
    assert (await fetch(lobby, PATH + "/doc", "PATCH", headers=JSON, body=body)).status == 400


async def test_a_patch_of_another_type_is_415(lobby: Lobby) -> None:
    assert (await fetch(lobby, PATH + "/doc", "PATCH", headers=BYTES, body=b"[]")).status == 415


async def test_a_value_nested_without_end_is_refused(lobby: Lobby) -> None:
    for depth in (200, 900, 100_000):
        body = b'[{"op":"add","path":"/a/0","root":"array","value":' + b"[" * depth + b"]" * depth + b"}]"
        assert (await fetch(lobby, PATH + "/doc", "PATCH", headers=JSON, body=body)).status == 400


# who may ------------------------------------------------------------------------------------------------------------


async def test_a_page_of_another_site_cannot_write(lobby: Lobby) -> None:
    assert (await post(lobby, written(), **ELSEWHERE)).status == 403
    assert (await patch(lobby, headers=ELSEWHERE)).status == 403
    assert (await post(lobby, written(), origin="null")).status == 403
    assert (await get(lobby, "doc.json")).body == b"{}"
    assert (await post(lobby, written(), origin="https://app.example")).status == 204
    assert (await post(lobby, written(), origin="http://localhost")).status == 204


async def test_where_connections_are_asked_http_is_denied_until_it_is_asked_too() -> None:
    class Asked(DocumentParty):
        def can_read(self, connection: Connection) -> bool:
            return True

        def can_write(self, connection: Connection) -> bool:
            return True

    class Answered(Asked):
        def may_read(self, request: Request) -> bool:
            return "who" in request.query

        def may_write(self, request: Request) -> bool:
            return request.query.get("who") == "ada"

    async with Lobby({"notes": Asked}) as lobby:
        assert (await get(lobby, "doc")).status == (await get(lobby, "doc.json")).status == 403
        assert (await post(lobby, written())).status == (await patch(lobby)).status == 403
    async with Lobby({"notes": Answered}) as lobby:
        assert [(await get(lobby, f"doc{query}")).status for query in ("", "?who=bob")] == [403, 200]
        for query, status in ("", 403), ("?who=bob", 403), ("?who=ada", 204):
            assert (await fetch(lobby, f"{PATH}/doc{query}", "POST", headers=BYTES, body=written())).status == status


async def test_who_may_write_and_not_read_posts_updates_but_cannot_test() -> None:
    class DropBox(DocumentParty):
        def may_read(self, request: Request) -> bool:
            return False

    async with Lobby({"notes": DropBox}) as lobby:
        assert (await post(lobby, written())).status == 204
        assert (await patch(lobby, {"op": "test", "path": "/body", "value": "hello"})).status == 403


async def test_a_token_that_may_not_write_does_not_write_over_http() -> None:
    token = jwt("a secret of at least thirty-two bytes", rooms="rooms", write="write")

    class Private(DocumentParty):
        on_before_connect = token
        can_write = token.can_write

    class Writable(Private):
        may_write = token.may_write

    for party, statuses in (Private, [401, 403, 403]), (Writable, [401, 403, 204]):
        async with Lobby({"notes": party}) as lobby:
            assert (await post(lobby, written())).status == statuses[0]
            for write, status in zip((False, True), statuses[1:], strict=True):
                signed = token.sign({"rooms": "today", "write": write}, seconds=60)
                response = await post(lobby, written(), authorization=f"Bearer {signed}")
                assert response.status == status
                assert (await patch(lobby, headers={"authorization": f"Bearer {signed}"})).status == status


# edits of server code -----------------------------------------------------------------------------------------------


class Edited(DocumentParty):
    """Edits its document in every hook."""

    def write(self, what: str) -> None:
        body = self.doc.get("body", type=Text)
        body.insert(len(str(body).encode()), f"{what} ")

    def on_custom_message(self, connection: Connection, message: str) -> None:
        self.write("message")

    def on_connect(self, connection: Connection) -> Any:
        if "second" in connection.request.query:
            self.write("connect")
        return super().on_connect(connection)

    def on_close(self, connection: Connection, code: int, reason: str, was_clean: bool) -> None:
        self.write("close")
        super().on_close(connection, code, reason, was_clean)

    def on_alarm(self) -> None:
        self.write("alarm")

    def on_request(self, request: Request) -> Any:
        if request.subpath == "write":
            self.write(request.text())
            return Response()
        return super().on_request(request)

    @classmethod
    async def on_cron(cls, cron: Cron) -> None:
        await cron.parties["notes"]["today"].fetch("write", method="POST", body=b"cron")


class Other(DocumentParty):
    """Writes into a document of another room."""

    async def on_alarm(self) -> None:
        await self.room.parties["notes"]["today"].fetch("write", method="POST", body=b"room")


async def test_an_edit_of_any_hook_alarm_cron_or_other_room_reaches_everybody_at_once() -> None:
    async with Lobby({"notes": Edited, "other": Other}, crons={"tick": "0 6 * * *"}) as lobby, join(lobby) as ada:
        heard: list[str] = []

        async def hears(what: str) -> None:
            await ada.read()
            heard.append(str(ada.text).removeprefix(" ".join(heard)).strip())
            assert heard[-1] == what

        await ada.socket.send("text of an application")
        await hears("message")
        async with join(lobby, "?second"):
            await hears("connect")
        await hears("close")
        await (await lobby.room(Address("notes", "today"))).alarm()
        await hears("alarm")
        await fetch(lobby, PATH + "/write", "POST", body=b"request")
        await hears("request")
        await (await lobby.room(Address("other", "x"))).alarm()
        await hears("room")
        await lobby.trigger_cron("tick")
        await hears("cron")


# helpers ------------------------------------------------------------------------------------------------------------


def doc_of(response: Response) -> Doc[Any]:
    doc: Doc[Any] = Doc()
    doc.apply_update(response.body)
    return doc


class Slow(MemoryStore):
    """A store whose writes wait until ``open`` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def apply(self, address: Address, batch: Batch, *, fence: int = 0) -> None:
        await self.open.wait()
        await super().apply(address, batch, fence=fence)
