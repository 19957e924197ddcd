"""The commands beside ``serve``, as people type them: what they print, what they leave behind, and their exit codes."""

from __future__ import annotations

import json
import os
import socketserver
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, suppress
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from urllib.request import urlopen

import jwt as pyjwt
import pytest
from typer.testing import CliRunner

from partyroom.cli import app
from partyroom.cli.remote import RemoteError, secret_of
from partyroom.cli.start import TEMPLATES
from tests.interop.server import Server

PARTY = """
from partyroom import Party, Response

class Counter(Party):
    async def on_start(self):
        self.count = await self.room.storage.get("count", default=0)

    async def on_request(self, request):
        self.count += 1
        await self.room.storage.put("count", self.count)
        return Response.json([self.count, self.room.env.get("GREETING")])

    @classmethod
    async def on_cron(cls, cron):
        await cron.parties["counter"]["crons"].fetch()
"""


def run(*arguments: object, cwd: Path, code: int = 0, given: str | None = None) -> str:
    """What ``partyroom`` prints, having ended with ``code``; in this process, which is quicker by a second a time."""
    with chdir(cwd):
        done = CliRunner().invoke(app, [*map(str, arguments)], input=given)
    assert done.exit_code == code, done.output
    return done.output


def run_in_a_process(*arguments: str, cwd: Path, code: int) -> str:
    """The same as people have it."""
    command = [sys.executable, "-m", "partyroom", *arguments]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=30)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Server]:
    """A server with a counter and a cron that is never due."""
    (file := tmp_path / "count.py").write_text(PARTY)
    server = Server(tmp_path / "data", str(file), ["--cron", "nightly=0 0 1 1 *", "--var", "GREETING=hello"])
    server.start()
    yield server
    if server.running:
        server.kill()


def ask(server: Server, room: str) -> list[object]:
    with urlopen(f"http://{server.host}/parties/counter/{room}") as answer:
        asked: list[object] = json.load(answer)
    return asked


@pytest.mark.slow
def test_rooms_are_listed_inspected_dumped_deleted_and_restored_while_the_server_runs(
    served: Server, tmp_path: Path
) -> None:
    data = ("--data", served.data)
    assert ask(served, "a") == [1, "hello"]
    assert ask(served, "a") == [2, "hello"]
    assert ask(served, "b") == [1, "hello"]
    listed = json.loads(run("rooms", "list", *data, "--json", cwd=tmp_path))
    assert [(room["room"], room["stored"]) for room in listed] == [("a", True), ("b", True)]
    assert "counter" in run("rooms", "list", *data, cwd=tmp_path)
    assert json.loads(run("rooms", "inspect", "counter/a", *data, "--json", cwd=tmp_path))["stored_keys"] == 1
    assert "count" in run("rooms", "inspect", "counter/a", *data, cwd=tmp_path)

    assert "2 rooms" in run("dump", *data, "-o", "all.jsonl.gz", cwd=tmp_path)
    run("rooms", "delete", "counter/a", *data, cwd=tmp_path, code=1, given="n\n")
    run("rooms", "delete", "counter/a", *data, "--yes", cwd=tmp_path)
    run("rooms", "inspect", "counter/a", *data, cwd=tmp_path, code=3)
    assert ask(served, "a") == [1, "hello"]

    assert "--replace" in run("restore", "all.jsonl.gz", *data, cwd=tmp_path, code=4)
    assert ask(served, "a") == [2, "hello"]
    assert "2 rooms" in run("restore", "all.jsonl.gz", *data, "--replace", cwd=tmp_path)
    assert ask(served, "a") == [3, "hello"]

    assert "nightly has run" in run("cron", "nightly", *data, cwd=tmp_path)
    assert ask(served, "crons") == [2, "hello"]
    assert "never" in run("cron", "never", *data, cwd=tmp_path, code=3)


@pytest.mark.slow
def test_without_a_server_the_verbs_work_on_the_folder_itself(served: Server, tmp_path: Path) -> None:
    data = ("--data", served.data)
    ask(served, "a")
    served.kill()  # and so it leaves its address behind
    dumped = run("dump", "counter/a", *data, cwd=tmp_path)
    assert json.loads(dumped.splitlines()[1]) == {"party": "counter", "room": "a", "key": "count", "json": 1}
    run("dump", "counter/none", *data, cwd=tmp_path, code=3)
    run("rooms", "delete", "counter/a", *data, "--yes", cwd=tmp_path)
    assert run("rooms", "list", *data, cwd=tmp_path).strip() == "There are no rooms."
    run("restore", "-", "--data", "elsewhere", cwd=tmp_path, given=dumped)
    assert json.loads(run("rooms", "list", "--data", "elsewhere", "--json", cwd=tmp_path))[0]["room"] == "a"
    assert "--data" in run("rooms", "list", "--data", "nowhere", cwd=tmp_path, code=1)
    assert "line 2" in run("restore", "-", *data, cwd=tmp_path, code=1, given=dumped[:40] + "\n}\n")
    assert "no server" in run("tail", *data, cwd=tmp_path, code=1)


@pytest.mark.slow
def test_a_room_that_is_larger_than_a_request_is_restored(served: Server, tmp_path: Path) -> None:
    values = [{"party": "counter", "room": "large", "key": f"{n:04}", "json": "x" * 100_000} for n in range(360)]
    count = {"party": "counter", "room": "large", "key": "count", "json": 7}
    (tmp_path / "large.jsonl").write_text("".join(json.dumps(line) + "\n" for line in [*values, count]))
    run("restore", "large.jsonl", "--data", served.data, cwd=tmp_path)
    assert ask(served, "large") == [8, "hello"]
    told = json.loads(run("rooms", "inspect", "counter/large", "--data", served.data, "--json", cwd=tmp_path))
    assert told["stored_keys"] == 361


@pytest.mark.slow
def test_the_log_of_a_running_server_is_followed(served: Server, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "partyroom", "tail", "counter/b", "--level", "debug", "--json"]
    with subprocess.Popen([*command, "--data", str(served.data)], stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout is not None
            lines: Queue[str] = Queue()
            Thread(target=lambda out: lines.put(out.readline()), args=[following.stdout], daemon=True).start()
            for _ in range(300):  # until it has connected: what happened before is not in its log
                ask(served, "a")
                ask(served, "b")
                with suppress(Empty):
                    line = lines.get(timeout=0.1)
                    break
            assert json.loads(line)["message"] == "counter/b: GET /parties/counter/b -> 200"
        finally:
            following.kill()


BANK = """
import asyncio
from partyroom import Party, Response

class Bank(Party):
    async def on_request(self, request):
        await self.room.sql("CREATE TABLE IF NOT EXISTS accounts (name)")
        if request.method == "POST":
            self.begun = asyncio.Event()
            self.room.spawn(self.deal_for_ever())
            await self.begun.wait()
        return Response("done")

    async def deal_for_ever(self):
        async with self.room.sql.transaction() as sql:
            await sql("INSERT INTO accounts VALUES ('ada')")
            self.begun.set()
            await asyncio.Event().wait()
"""


@pytest.mark.slow
def test_a_room_that_cannot_be_read_now_is_left_out_of_a_dump_and_named(tmp_path: Path) -> None:
    (tmp_path / "bank.py").write_text(BANK)
    server = Server(tmp_path / "data", str(tmp_path / "bank.py"))
    server.start()
    try:
        for room, body in ("idle", None), ("dealing", b"deal"), ("other", None):
            with urlopen(f"http://{server.host}/parties/bank/{room}", body) as answer:
                assert answer.read() == b"done"
        said = run("dump", "--data", server.data, "-o", "all.jsonl", cwd=tmp_path, code=1)
        assert "2 rooms in all.jsonl" in said
        assert "bank/dealing is not in the dump: " in said
        assert "transaction is under way" in said
        dumped = [json.loads(line)["room"] for line in (tmp_path / "all.jsonl").read_text().splitlines()[1:]]
        assert dumped == ["idle", "other"]
    finally:
        server.kill()


@pytest.mark.slow
def test_an_address_that_a_killed_server_left_is_not_believed(served: Server, tmp_path: Path) -> None:
    """Its process id is another's by now, and its port, too."""
    data = ("--data", served.data)
    ask(served, "a")
    served.kill()
    other = socketserver.ThreadingTCPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler)
    Thread(target=other.serve_forever, daemon=True).start()
    try:
        for port in other.server_address[1], served.port:  # at the second nobody listens
            said = {"url": f"http://127.0.0.1:{port}", "pid": os.getpid()}
            (served.data / "server.json").write_text(json.dumps(said))
            assert "counter" in run("rooms", "list", *data, cwd=tmp_path)
            assert "no server" in run("tail", *data, cwd=tmp_path, code=1)
            assert "no server" in run("cron", "nightly", *data, cwd=tmp_path, code=1)
    finally:
        other.shutdown()
        other.server_close()


@pytest.mark.slow
@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_runs_and_its_own_tests_pass(template: str, tmp_path: Path) -> None:
    said = run("init", "mine", "--template", template, cwd=tmp_path)
    assert "cd mine" in said
    folder = tmp_path / "mine"
    assert (folder / ".gitignore").is_file()
    quiet = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_default_fixture_loop_scope=function"]
    subprocess.run([sys.executable, "-m", "pytest", *quiet], cwd=folder, check=True, capture_output=True, timeout=60)
    server = Server(tmp_path / "data", None, ["--config", str(folder / "partyroom.toml")])
    server.start()
    try:
        with urlopen(f"http://{server.host}/") as page:
            assert b"<html" in page.read()
    finally:
        server.stop()
    assert "not empty" in run("init", "mine", cwd=tmp_path, code=4)


def test_a_token_opens_its_rooms_until_it_expires(tmp_path: Path) -> None:
    secret = "0123456789abcdef" * 2
    (tmp_path / ".env").write_text(f"SECRET={secret}\n")
    said = run("token", "--room", "today", "--room", "team/*", "--write", "--user", "ada", "--expires", "2h",
               "--claim", "level=3", cwd=tmp_path)  # fmt: skip
    claims = pyjwt.decode(said.strip(), secret, algorithms=["HS256"])
    assert claims.pop("exp") - claims.pop("iat") == 7200
    assert claims == {"sub": "ada", "rooms": ["today", "team/*"], "write": True, "level": 3}
    for arguments, code, says in (
        (["--room", "x", "--secret", "OTHER"], 1, "there is no OTHER"),
        ([], 2, "--room"),
        (["--room", "x", "--expires", "soon"], 2, "30m"),
        (["--room", "x", "--claim", "level"], 2, "NAME=value"),
    ):
        assert says in run("token", *arguments, cwd=tmp_path, code=code)


def test_names_are_set_shown_and_removed_in_a_file_that_only_its_owner_reads(tmp_path: Path) -> None:
    run("env", "add", "KEY", "--value", "a b", cwd=tmp_path)
    run("env", "add", "OTHER", "--value", "x", cwd=tmp_path)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert "a b" not in run("env", "list", cwd=tmp_path)
    assert json.loads(run("env", "list", "--show", "--json", cwd=tmp_path)) == {"KEY": "a b", "OTHER": "x"}
    run("env", "remove", "KEY", cwd=tmp_path)
    run("env", "remove", "KEY", cwd=tmp_path, code=3)
    assert "OTHER=x" in run("env", "list", "--show", cwd=tmp_path)
    assert "no name" in run("env", "add", "not a name", "--value", "x", cwd=tmp_path, code=2)


@pytest.mark.slow
def test_a_wrong_setting_ends_serve_with_2(tmp_path: Path) -> None:
    (tmp_path / "partyroom.toml").write_text("prot = 1\n")
    assert "did you mean 'port'" in run("serve", cwd=tmp_path, code=2)
    (tmp_path / "partyroom.toml").unlink()
    assert "five fields" in run("serve", "--cron", "a=* *", cwd=tmp_path, code=2)
    assert "no folder" in run("serve", "--serve", "nowhere", cwd=tmp_path, code=2)
    assert "https://example.com" in run("serve", "--origin", "example.com", cwd=tmp_path, code=2)
    (tmp_path / "chat.py").write_text(PARTY)
    reserved = "--party=.partyroom=chat.py:Counter"
    assert "can be called" in run_in_a_process("serve", "--port=0", reserved, cwd=tmp_path, code=2)
    assert "does not exist" in run("serve", "nothing.py", cwd=tmp_path, code=2)
    assert "Nobody is not there" in run("serve", "chat.py:Nobody", cwd=tmp_path, code=2)
    (tmp_path / "broken.py").write_text("import nowhere_at_all\n")
    assert "broken.py:1" in run("serve", "broken.py", cwd=tmp_path, code=1)
    assert "did you mean 'message'" in run("serve", "--limit", "mesage=1", cwd=tmp_path, code=2)


def test_the_verbs_that_look_after_it_find_the_folder_that_the_settings_name(tmp_path: Path) -> None:
    (tmp_path / "partyroom.toml").write_text('data = "kept"\n')
    line = {"party": "chat", "room": "lobby", "key": "word", "json": 1}
    run("restore", "-", cwd=tmp_path, given=json.dumps(line) + "\n")
    assert (tmp_path / "kept" / "partyroom.db").is_file()
    for verb in (["rooms", "list"], ["dump"]):
        assert "lobby" in run(*verb, cwd=tmp_path)
        assert "no store in nowhere" in run(*verb, "--data", "nowhere", cwd=tmp_path, code=1)
    assert "1" in run("rooms", "inspect", "chat/lobby", cwd=tmp_path)
    run("rooms", "delete", "chat/lobby", "--yes", cwd=tmp_path)
    assert "no server is running on kept" in run("tail", cwd=tmp_path, code=1)
    (tmp_path / "partyroom.toml").write_text("dat = 1\n")
    assert "did you mean 'data'" in run("rooms", "list", cwd=tmp_path, code=2)


@pytest.mark.slow
def test_the_version_is_printed(tmp_path: Path) -> None:
    assert run_in_a_process("version", cwd=tmp_path, code=0).strip() == "0.1.0"
    assert run("--version", cwd=tmp_path).strip() == "0.1.0"


def test_what_names_no_room_is_a_wrong_command_line(tmp_path: Path) -> None:
    for verb in ("inspect", "delete"):
        assert "PARTY/ROOM" in run("rooms", verb, "lobby", cwd=tmp_path, code=2)


@pytest.mark.slow
def test_a_wrong_secret_is_told_from_a_room_that_is_not_there(served: Server, tmp_path: Path) -> None:
    data = ("--data", served.data, "--secret", "wrong")
    for verb in (["rooms", "list"], ["dump"], ["cron", "nightly"], ["tail"]):
        assert "does not know this secret" in run(*verb, *data, cwd=tmp_path, code=1)
    secret = (served.data / "admin.secret").read_text().strip()
    assert secret not in served.log()
    away = ("--url", f"http://{served.host}", "--data", "nowhere")
    assert "There are no rooms" in run("rooms", "list", *away, "--secret", secret, cwd=tmp_path)


def test_a_folders_secret_is_not_shown_to_other_hosts(tmp_path: Path) -> None:
    (tmp_path / ".partyroom").mkdir()
    (tmp_path / ".partyroom" / "admin.secret").write_text("secret\n")
    for verb in (["rooms", "list"], ["tail"]):
        assert "--secret" in run(*verb, "--url", "http://rooms.example.com", cwd=tmp_path, code=1)


@pytest.mark.slow
def test_what_is_no_partyroom_is_named_so(tmp_path: Path) -> None:
    with socketserver.TCPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as other:
        Thread(target=other.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{other.server_address[1]}"
        assert "is no partyroom" in run("rooms", "list", "--url", url, "--secret", "x", cwd=tmp_path, code=1)


def test_a_secret_is_made_whole_and_an_empty_one_replaced(tmp_path: Path) -> None:
    with pytest.raises(RemoteError, match="--data"):
        secret_of(tmp_path)
    (tmp_path / "admin.secret").touch()
    with pytest.raises(RemoteError, match="empty"):
        secret_of(tmp_path)
    secret = secret_of(tmp_path, make=True)
    assert len(secret) > 40
    assert secret_of(tmp_path) == secret_of(tmp_path, make=True) == secret
    assert (tmp_path / "admin.secret").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["admin.secret"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_completes_commands_and_choices(shell: str, tmp_path: Path) -> None:
    def completed(line: str) -> str:
        asked = {"_TYPER_COMPLETE_ARGS": line, "COMP_WORDS": line, "COMP_CWORD": str(line.count(" ")),
                 "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_PARTYROOM_COMPLETE": f"complete_{shell}"}  # fmt: skip
        with chdir(tmp_path):
            return CliRunner().invoke(app, [], env=asked, prog_name="partyroom").output

    assert "rooms" in completed("partyroom ro")
    assert "game" in completed("partyroom init --template ")
