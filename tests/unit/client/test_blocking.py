"""partyroom.connect: rooms without an event loop, from any thread, alive while the program computes."""

from __future__ import annotations

import asyncio
import gc
import queue
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import partyroom
from partyroom.client import (
    AskFailed,
    ConnectionClosed,
    DocumentRoom,
    HandshakeRefused,
    NobodyAnswered,
    SocketRoom,
    Unreachable,
)
from partyroom.client.mail import Inbox
from partyroom.client.thread import network
from tests.unit.client.beside import Beside, Guarded, beside
from tests.unit.client.peers import SOON

pytestmark = [pytest.mark.timeout(30), pytest.mark.slow]

Connect = Callable[..., Any]


@pytest.fixture(scope="module")
def server() -> Iterator[Beside]:
    with beside() as server:
        yield server


@pytest.fixture
def connect(server: Beside, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """``partyroom.connect`` to rooms of this test, by short names; what it leaves open is closed."""
    monkeypatch.setenv("PARTYROOM_URL", server.url)
    mine = uuid.uuid4().hex[:8]
    opened: list[Any] = []

    def connect(name: str, **options: Any) -> Any:
        party, _, room = name.rpartition("/")
        opened.append(partyroom.connect(f"{party or 'main'}/{mine}-{room}", backoff=SOON, **options))
        return opened[-1]

    yield connect
    while opened:
        opened.pop().close()
    assert network().call(network().rooms.copy) == set()
    assert network().run(tasks_left) == []


async def tasks_left() -> list[Any]:
    return [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


def wait_for(event: threading.Event) -> None:
    assert event.wait(10), "it did not happen"


class TestDocuments:
    def test_two_programs_edit_one_document(self, connect: Connect) -> None:
        ada, bob = connect("today", user={"name": "Ada"}), connect("today")
        ada.text("notes").insert(0, "grüße 🎉")
        with ada.batch():
            ada.map("state")["n"] = 1
            ada.array("rows").append({"a": [1]})
        assert ada.unsaved
        ada.saved(10)
        bob.synced(10)
        assert (str(bob.text("notes")), dict(bob.map("state")), list(bob.array("rows"))) == (
            "grüße 🎉",
            {"n": 1},
            [{"a": [1]}],
        )
        assert (ada.unsaved, ada.read_only, ada.status, bob.closed) == (False, False, "synced", False)
        assert list(bob.others.values()) == [{"user": {"name": "Ada"}}]
        assert bob.others.keys() == {ada.client_id}

    def test_changes_are_told_where_they_are_wanted(self, connect: Connect) -> None:
        todo: queue.Queue[Callable[[], object]] = queue.Queue()
        told: list[Any] = []
        ada, bob = connect("today"), connect("today", post=todo.put)

        def tell(change: Any) -> None:
            bob.map("state")["seen"] = True  # a callback may edit
            told.append((change.edits[0].new, change.remote, threading.current_thread()))

        remove = bob.map("state").on_change(tell)
        ada.map("state")["n"] = 1
        while not told:
            todo.get(timeout=10)()
        assert told == [(1, True, threading.main_thread())]
        remove()

    def test_events_are_told_and_one_that_was_taken_away_is_not(self, connect: Connect) -> None:
        came, gone = threading.Event(), threading.Event()
        ada = connect("today", wait=0)
        statuses: list[str] = []
        ada.on_status(statuses.append)
        ada.synced(10)
        ada.on_presence(lambda added, updated, removed: (came if added else gone).set())
        changed = threading.Event()
        ada.on_change(lambda: 1 / 0)  # is logged
        ada.on_change(changed.set)
        bob = connect("today", user={"name": "Bob"})
        wait_for(came)
        bob.user = {"name": "Bobby"}
        bob.set_presence(cursor=3)
        assert bob.user == {"name": "Bobby"}
        bob.text("x").insert(0, "x")
        wait_for(changed)
        bob.close()
        wait_for(gone)
        assert ada.status == "synced"
        assert statuses[-1:] in ([], ["synced"])  # it may have been so before it was asked to tell

    def test_it_goes_on_while_the_program_computes(self, connect: Connect) -> None:
        """A long cell: the main thread does something else, and takes no part in any of this."""
        heard = threading.Event()
        ada, bob = connect("today"), connect("today")
        bob.on_change(heard.set)
        editing = threading.Thread(target=lambda: ada.text("notes").insert(0, "x"))
        editing.start()
        deaf = threading.Event()
        while not heard.is_set():
            deaf.wait(0.001)
        editing.join()
        assert str(bob.text("notes")) == "x"

    def test_many_threads_edit_and_read_at_once(self, connect: Connect) -> None:
        rooms = [connect("today") for _ in range(2)]
        errors: list[BaseException] = []

        def work(number: int) -> None:
            try:
                for count in range(25):
                    room = rooms[number % 2]
                    room.array("rows").append(f"{number}:{count}")
                    with room.batch():
                        room.text("log").append(f"{number};")
                        room.map("counts")[f"{number}"] = count
                    list(room.array("rows"))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert errors == []
        for room in rooms:
            room.saved(10)
        expected = sorted(f"{n}:{count}" for n in range(6) for count in range(25))
        done = threading.Event()
        for room in rooms:
            room.on_change(done.set)
            while sorted(room.array("rows")) != expected:  # the other's last edits are on their way
                done.wait(0.05)
            rows = list(room.array("rows"))
            for n in range(6):
                assert [row for row in rows if row.startswith(f"{n}:")] == [f"{n}:{count}" for count in range(25)]
            assert dict(room.map("counts")) == {f"{n}": 24 for n in range(6)}

    def test_pycrdts_document_is_there_for_who_holds_the_lock(self, connect: Connect) -> None:
        from pycrdt import Text

        ada = connect("today")
        with ada.lock:
            text = ada.doc.get("notes", type=Text)
            undo = ada.undo(text)
            text += "by pycrdt"
            undo.undo()
            text += "again"
        ada.saved(10)
        assert str(ada.text("notes")) == "again"

    def test_what_waits_is_refused_while_the_lock_is_held(self, connect: Connect) -> None:
        ada, other = connect("today"), connect("relay/x", document=False)
        with ada.batch():
            for wait in (ada.saved, ada.close, ada.receive, other.close, lambda: other.send("x"), ada.fetch):
                with pytest.raises(RuntimeError, match="lock"):
                    wait()
        ada.saved(10)

    def test_what_waits_is_refused_in_a_callback_on_the_networks_thread(self, connect: Connect) -> None:
        refused: queue.Queue[RuntimeError | None] = queue.Queue()
        ada = connect("today")

        def on_change() -> None:
            try:
                ada.saved()
            except RuntimeError as error:
                refused.put(error)
            ada.user = {"name": "set from a callback"}

        ada.on_change(on_change)
        ada.text("x").insert(0, "x")
        assert "post=" in str(refused.get(timeout=10))
        ada.saved(10)
        assert ada.user == {"name": "set from a callback"}

    def test_it_is_kept_and_edited_offline(self, connect: Connect, tmp_path: Any) -> None:
        with connect("today", keep=tmp_path / "notes.db") as ada:
            ada.text("notes").insert(0, "x")
            ada.saved(10)
        with partyroom.connect(f"main/{ada.url.rpartition('/')[2]}", server="http://127.0.0.1:1", wait=0) as nobody:
            assert nobody.status == "connecting"
            with pytest.raises(ValueError, match="keep"):
                nobody.kept()
        with connect("today", keep=tmp_path / "notes.db", wait=0) as ada:
            assert str(ada.text("notes")) == "x"
            ada.kept()


class TestMessages:
    def test_they_arrive_in_order_and_as_they_were(self, connect: Connect) -> None:
        ada, bob = (connect("relay/x", document=False) for _ in range(2))
        assert isinstance(ada, SocketRoom)
        ada.send("a")
        ada.send(b"\0")
        ada.send_json({"ü": [1]})
        assert [bob.receive(10) for _ in range(3)] == ["a", b"\0", '{"ü":[1]}']
        with pytest.raises(TimeoutError, match=r"no message within 0\.01 s"):
            bob.receive(0.01)

    def test_iteration_ends_with_our_close(self, connect: Connect) -> None:
        ada, bob = (connect("relay/x", document=False) for _ in range(2))
        taken: list[str | bytes] = []
        first = threading.Event()

        def read() -> None:
            for message in bob:
                taken.append(message)
                first.set()

        reading = threading.Thread(target=read)
        reading.start()
        ada.send("a")
        wait_for(first)
        bob.close()
        reading.join(10)
        assert not reading.is_alive()
        assert (taken, bob.closed) == (["a"], True)
        with pytest.raises(ConnectionClosed):
            bob.send("too late")

    def test_a_server_that_throws_us_out_ends_it(self, connect: Connect) -> None:
        bob = connect("bouncer/x", document=False)
        bob.send("out")
        with pytest.raises(ConnectionClosed, match="4403: enough"):
            assert list(bob) == ["first"]
        with pytest.raises(ConnectionClosed, match="4403: enough"):
            bob.send("too late")

    def test_callbacks_get_what_has_come_before_them_first(self, connect: Connect) -> None:
        ada, bob = (connect("relay/x", document=False) for _ in range(2))
        ada.send("1")
        ada.send("2")
        while len(bob._hosted.mailbox._messages) < 2:
            threading.Event().wait(0.001)
        taken: queue.Queue[str | bytes] = queue.Queue()
        remove = bob.on_message(taken.put)
        ada.send("3")
        assert [taken.get(timeout=10) for _ in range(3)] == ["1", "2", "3"]
        remove()
        ada.send("4")
        assert bob.receive(10) == "4"

    @pytest.mark.parametrize("how", ["receive", "post"])
    def test_what_is_not_taken_holds_the_server_up(self, connect: Connect, how: str) -> None:
        """What waits on this side is bounded, and nothing is lost of what comes."""
        todo: queue.Queue[Callable[[], object]] = queue.Queue()
        taken: list[str | bytes] = []
        ada, bob = connect("relay/x", document=False), connect("relay/x", document=False, post=todo.put)
        if how == "post":
            bob.on_message(taken.append)
        for number in range(60):
            ada.send(bytes([number]) * 100_000)
        assert (bob.fetch().status, ada.fetch().status) == (404, 404)  # and the network's thread is not held up
        waiting = bob._hosted.mailbox._messages._size if how == "receive" else bob._hosted._posted
        assert waiting < Inbox.LIMIT + 200_000
        if how == "receive":
            taken = [bob.receive(10) for _ in range(60)]
        while len(taken) < 60:
            todo.get(timeout=10)()
        assert [message[0] for message in taken] == list(range(60))

    def test_an_interrupt_costs_no_message_and_no_room(self, connect: Connect) -> None:
        ada, bob = (connect("relay/x", document=False) for _ in range(2))
        for wait in (bob.receive, lambda: bob.ask("nobody serves this", timeout=20)):
            timer = threading.Timer(0.05, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                wait()
            timer.join()
        ada.send("still there")
        assert bob.receive(10) == "still there"

    def test_texts_go_beside_a_document(self, connect: Connect) -> None:
        ada = connect("today")
        ada.send("to the server's program, which in this party has no use for it")
        with pytest.raises(TypeError, match="texts only"):
            ada.send(b"bytes")
        with pytest.raises(TimeoutError):
            ada.receive(0.01)

    def test_requests(self, connect: Connect) -> None:
        ada = connect("chat/x", document=False)
        assert ada.fetch().status == 200
        assert '"people":1' in ada.fetch(query={"a": 1}, timeout=10).text()


class TestAsking:
    @pytest.mark.parametrize("name", ["today", "relay/x"])
    def test_one_asks_and_another_answers(self, connect: Connect, name: str) -> None:
        ada, bob = (connect(name, document=name == "today") for _ in range(2))
        stop = bob.serve("sum", sum)
        bob.serve("fail", lambda value: 1 / 0)
        bob.serve("later", lambda value: asyncio.sleep(0, value))
        assert ada.ask("sum", [1, 2, 3]) == 6
        assert ada.ask("later", "x") == "x"
        with pytest.raises(AskFailed, match="division by zero"):
            ada.ask("fail")
        stop()
        with pytest.raises(NobodyAnswered):
            ada.ask("sum", [1], timeout=0.05)
        with pytest.raises(TimeoutError):  # none of it was a message
            bob.receive(0.01)

    def test_answers_are_made_where_callbacks_are(self, connect: Connect) -> None:
        todo: queue.Queue[Callable[[], object]] = queue.Queue()
        ada, bob = connect("today"), connect("today", post=todo.put)
        bob.serve("thread", lambda value: threading.current_thread().name)
        answers: queue.Queue[Any] = queue.Queue()
        asking = threading.Thread(target=lambda: answers.put(ada.ask("thread", timeout=10)))
        asking.start()
        todo.get(timeout=10)()
        assert answers.get(timeout=10) == threading.main_thread().name
        asking.join()


class TestWhereCallbacksAre:
    async def test_in_the_event_loop_that_runs_where_it_connects(self, connect: Connect) -> None:
        """As in a notebook: the cell that runs comes first, then its callbacks, in the kernel's thread."""
        ada, bob = connect("today"), connect("today")
        told: list[threading.Thread] = []
        heard = asyncio.Event()

        def tell(change: Any) -> None:
            told.append(threading.current_thread())
            heard.set()

        bob.text("notes").on_change(tell)
        ada.text("notes").insert(0, "x")
        ada.saved(10)  # a long cell
        assert told == []
        await asyncio.wait_for(heard.wait(), 10)
        assert told == [threading.main_thread()]

    def test_a_loop_that_has_ended_costs_a_warning(self, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
        async def cell() -> Any:
            return connect("today")

        ada = asyncio.run(cell())
        told = threading.Event()
        ada.on_change(told.set)
        ada.text("x").insert(0, "x")
        ada.saved(10)
        assert not told.is_set()
        assert "could not be posted" in caplog.text

    def test_post_is_a_function(self, connect: Connect) -> None:
        with pytest.raises(TypeError, match="post is a function"):
            connect("today", post="here")


class TestLife:
    def test_a_room_that_nobody_refers_to_closes(self, server: Beside, connect: Connect) -> None:
        partyroom.connect("main/forgotten").text("x").insert(0, "x")
        (hosted,) = network().rooms
        gc.collect()
        server.run(server.until_empty())
        with pytest.raises(ConnectionClosed):
            hosted.mailbox.take(5)  # type: ignore[attr-defined]

    def test_a_room_with_callbacks_stays(self, server: Beside, connect: Connect) -> None:
        told = threading.Event()
        partyroom.connect("main/kept").map("state").on_change(lambda change: told.set())
        gc.collect()
        with partyroom.connect("main/kept") as other:
            other.map("state")["x"] = 1
            wait_for(told)
        (room,) = network().rooms
        network().run(room.close)

    def test_nobody_there_is_said_in_time_and_leaves_nothing(self, connect: Connect) -> None:
        with pytest.raises(
            Unreachable, match=r"127\.0\.0\.1:1/parties/main/x is not there within 0\.2 s .*partyroom serve"
        ):
            partyroom.connect("x", server="127.0.0.1:1", wait=0.2)

    def test_a_refusal_is_said(self, connect: Connect) -> None:
        for document in (True, False):
            with pytest.raises(ConnectionClosed, match="401"):
                connect("guarded/x", document=document)
        with pytest.raises(HandshakeRefused):
            connect("nobody/x", document=False)

    def test_the_token_of_the_environment_is_for_its_server(
        self, server: Beside, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PARTYROOM_TOKEN", "open sesame")
        for document in (True, False):
            assert connect("guarded/x", document=document).status in ("synced", "open")
        assert connect("guarded/x", token=lambda: "open sesame").status == "synced"
        monkeypatch.setenv("PARTYROOM_URL", "http://somebody.else.example")
        Guarded.tokens.clear()
        with pytest.raises(ConnectionClosed, match="401"):
            partyroom.connect("guarded/x", server=server.url)
        assert Guarded.tokens == [None]

    def test_options_that_do_not_fit_are_refused(self, connect: Connect) -> None:
        with pytest.raises(ValueError, match="document=False"):
            connect("relay/x", document=False, user={"name": "Ada"})
        with pytest.raises(ValueError, match="PARTY/ROOM"):
            partyroom.connect("")

    def test_closing_twice_is_fine_and_from_any_thread(self, connect: Connect) -> None:
        ada = connect("today")
        threads = [threading.Thread(target=ada.close) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
        ada.close()
        assert (ada.closed, ada.status) == (True, "closed")
        assert isinstance(ada, DocumentRoom)
        assert repr(ada).startswith("<DocumentRoom ws://127.0.0.1")
