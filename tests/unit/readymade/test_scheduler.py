"""Things to do later: when they are done, by whom, and what becomes of those that fail."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any, ClassVar

import pytest

from partyroom import Lobby, MemoryStore, Party, Request, Response
from partyroom.parties import RoomStub
from partyroom.readymade import Scheduler, Task
from partyroom.readymade.scheduler import TaskError
from partyroom.testing import ManualClock, fetch, settle

NOW = 1_000_000.0


class Open(Scheduler):
    """A scheduler for anybody."""

    done: ClassVar[list[str]]
    broken: ClassVar[set[str]]

    @classmethod
    def on_before_request(cls, request: Request) -> None:
        return None

    def on_task(self, task: Task) -> None:
        if task.id in self.broken:
            raise RuntimeError(f"{task.id} is broken")
        self.done.append(f"{task.id} at {self.room.now() - NOW:g}")


class Kitchen(Party):
    """Takes orders."""

    orders: ClassVar[list[Any]]
    closed: ClassVar[bool]

    def on_request(self, request: Request) -> Response:
        if self.closed:
            return Response("closed", 503)
        self.orders.append((self.room.id, request.subpath, request.json()["payload"]))
        return Response("OK")


@pytest.fixture(autouse=True)
def fresh() -> None:
    Open.done, Open.broken, Kitchen.orders, Kitchen.closed = [], set(), [], False


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


@pytest.fixture
async def lobby(store: MemoryStore) -> AsyncIterator[Lobby]:
    async with Lobby({"open": Open, "kitchen": Kitchen, "shut": Scheduler}, store=store, clock=ManualClock()) as lobby:
        yield lobby


def clock(lobby: Lobby) -> ManualClock:
    moved = lobby._clock
    assert isinstance(moved, ManualClock)
    return moved


def scheduler(lobby: Lobby) -> RoomStub:
    return lobby.parties["open"]["main"]


async def test_tasks_are_done_in_time_and_never_early(lobby: Lobby) -> None:
    ask = scheduler(lobby)
    await ask.call("schedule", id="late", delay=100)
    await ask.call("schedule", id="soon", delay=10)
    await ask.call("schedule", id="at", at=NOW + 50)
    await clock(lobby).advance(9)
    assert Open.done == []
    await clock(lobby).advance(200)
    assert Open.done == ["soon at 10", "at at 50", "late at 100"]
    assert await ask.call("tasks") == []


async def test_a_cron_comes_again_and_again_until_it_is_cancelled(lobby: Lobby) -> None:
    ask = scheduler(lobby)
    await ask.call("schedule", id="often", cron="*/10 * * * *")
    await clock(lobby).advance(3600)
    assert len(Open.done) == 6
    assert await ask.call("cancel", "often") is True
    assert await ask.call("cancel", "often") is False
    await clock(lobby).advance(3600)
    assert len(Open.done) == 6


async def test_another_room_is_told_with_the_payload(lobby: Lobby) -> None:
    callback = {"type": "room", "party": "kitchen", "room": "tea", "path": "/orders"}
    await scheduler(lobby).call("schedule", delay=1, callback=callback, payload={"cups": 2})
    await clock(lobby).advance(2)
    assert Kitchen.orders == [("tea", "orders", {"cups": 2})]


async def test_what_fails_is_tried_again_and_keeps_nothing_else(lobby: Lobby, caplog: pytest.LogCaptureFixture) -> None:
    ask, Open.broken = scheduler(lobby), {"bad"}
    await ask.call("schedule", id="bad", delay=1)
    await ask.call("schedule", id="good", delay=1)
    with caplog.at_level(logging.CRITICAL):
        await clock(lobby).advance(1.5)
        assert Open.done == ["good at 1"]
        await clock(lobby).advance(2)  # failed again at 3
        Open.broken.clear()
        await clock(lobby).advance(10)
    assert Open.done == ["good at 1", "bad at 7"]


async def test_what_fails_for_good_is_given_up_after_six_retries_but_a_cron_waits_for_its_next_time(
    lobby: Lobby, caplog: pytest.LogCaptureFixture
) -> None:
    ask, Kitchen.closed = scheduler(lobby), True
    await ask.call("schedule", id="once", delay=0, callback={"type": "room", "party": "kitchen", "room": "a"})
    await ask.call("schedule", id="cron", cron="@daily", callback={"type": "room", "party": "kitchen", "room": "b"})
    with caplog.at_level(logging.CRITICAL):
        await clock(lobby).advance(3600)
        assert [task.id for task in await ask.call("tasks")] == ["cron"]
        await clock(lobby).advance(24 * 3600)
        (cron,) = await ask.call("tasks")
    assert cron.failures == 0
    assert cron.at > lobby._clock.now()


async def test_tasks_outlive_the_server(store: MemoryStore) -> None:
    class Kept(MemoryStore):
        async def close(self) -> None:
            """The next lobby goes on with it."""

    kept = Kept()
    async with Lobby({"open": Open}, store=kept, clock=ManualClock()) as lobby:
        await scheduler(lobby).call("schedule", id="later", delay=100, payload=[1])
    moved = ManualClock(NOW + 1000)
    async with Lobby({"open": Open}, store=kept, clock=moved) as lobby:
        await moved.advance(1)
        await settle()
    assert [done.split()[0] for done in Open.done] == ["later"]


async def test_over_http(lobby: Lobby) -> None:
    path = "/parties/open/main/tasks"
    made = await fetch(lobby, path, "POST", body=b'{"id": "a b", "delay": 60, "payload": 1}')
    assert made.status == 201
    assert json.loads((await fetch(lobby, path)).body) == [json.loads(made.body)]
    assert json.loads((await fetch(lobby, path + "/a%20b")).body)["at"] == NOW + 60
    assert (await fetch(lobby, path + "/a%20b/run", "POST")).status == 204
    assert Open.done == ["a b at 0"]
    assert (await fetch(lobby, path + "/a%20b", "DELETE")).status == 204
    assert (await fetch(lobby, path + "/a%20b")).status == 404
    assert (await fetch(lobby, path, "PUT")).status == 405
    assert (await fetch(lobby, "/parties/open/main")).status == 404


async def test_by_default_nobody_outside_schedules(lobby: Lobby) -> None:
    assert (await fetch(lobby, "/parties/shut/main/tasks")).status == 403
    refused = await lobby.admit(Request.build("/parties/shut/main"))
    assert isinstance(refused, Response)
    await lobby.parties["shut"]["main"].call("schedule", delay=60)


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b"{}", b'{"delay": 1, "at": 2}', b'{"delay": "1"}', b'{"delay": -1}', b'{"delay": true}',
     b'{"cron": "* *"}', b'{"cron": 5}', b'{"delay": 1, "id": 5}', b'{"delay": 1, "other": 1}',
     b'{"delay": 1, "callback": {}}', b'{"delay": 1, "callback": {"type": "room", "party": "none", "room": "a"}}',
     b'{"delay": 1, "callback": {"type": "webhook", "url": "http://127.0.0.1/"}}', b'{"delay": 1e300}'],
)  # fmt: skip
async def test_what_is_no_task_is_refused(lobby: Lobby, body: bytes) -> None:
    response = await fetch(lobby, "/parties/open/main/tasks", "POST", body=body)
    assert response.status == 400
    assert await scheduler(lobby).call("tasks") == []


async def test_a_full_scheduler_says_so(lobby: Lobby, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Open, "tasks_at_most", 1)
    ask = scheduler(lobby)
    await ask.call("schedule", id="one", delay=60)
    await ask.call("schedule", id="one", delay=61)
    with pytest.raises(TaskError, match="1 tasks already"):
        await ask.call("schedule", id="two", delay=60)


@pytest.mark.slow
async def test_a_webhook_is_called_where_it_is_allowed_and_follows_nobody(
    lobby: Lobby, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[tuple[str, Any]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            called.append((self.path, json.loads(body)["payload"]))
            self.send_response(302 if "leads" in self.path else 200)
            self.send_header("location", "/secret")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr(Open, "webhooks", (url + "hooks/",))
        ask = scheduler(lobby)
        for path in ("hooks/tea", "hooks/leads"):
            callback = {"type": "webhook", "url": url + path}
            await ask.call("schedule", id=path, delay=60, callback=callback, payload=path)
        with pytest.raises(TaskError, match="not allowed"):
            await ask.call("schedule", delay=1, callback={"type": "webhook", "url": url + "other"})
        task = await ask.call("task", "hooks/tea")
        await ask.call("_call", task)
        with pytest.raises(OSError, match="302"):
            await ask.call("_call", await ask.call("task", "hooks/leads"))
        server.shutdown()
    assert called == [("/hooks/tea", "hooks/tea"), ("/hooks/leads", "hooks/leads")]


def test_an_address_that_another_host_could_begin_with_is_no_webhook() -> None:
    with pytest.raises(ValueError, match="needs a slash"):
        type("Careless", (Scheduler,), {"webhooks": ("https://hooks.example.com",)})
