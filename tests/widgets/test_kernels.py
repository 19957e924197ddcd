"""Notebooks in real kernels, a script, ``partyroom serve``: the same values, also in the middle of a cell."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

import partyroom
from partyroom.client import DocumentRoom
from tests.interop.server import ROOT, Server

from .kernel import Kernel

pytestmark = pytest.mark.timeout(90)

JOIN = """
import threading, time, ipywidgets, partyroom_widgets
room = partyroom_widgets.join("lesson", name={name!r})
speed = ipywidgets.FloatSlider(description="speed", max=10000)
told = []
is_main = lambda: threading.current_thread() is threading.main_thread()
speed.observe(lambda change: told.append((change["new"], is_main())), "value")
share = room.share(speed)
display(room)
"""
UNTIL = """
for _ in range(1000):
    if {0}: break
    await __import__("asyncio").sleep(0.01)
assert {0}, (speed.value, share.value, room)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """``partyroom serve``."""
    server = Server(tmp_path_factory.mktemp("serve") / "data", target=None)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def kernels(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kernel, Kernel]]:
    """Two notebooks that have joined."""
    kernels = [Kernel(tmp_path_factory.mktemp("kernel"), f"http://{server.host}") for _ in range(2)]
    for kernel in kernels:
        kernel.ready()
    cells = [kernel.start(JOIN.format(name=name)) for kernel, name in zip(kernels, ("Ada", "Bob"), strict=True)]
    for kernel, cell in zip(kernels, cells, strict=True):
        kernel.output(cell)
    yield kernels[0], kernels[1]
    for kernel in kernels:
        kernel.stop()


@pytest.fixture
def script(server: Server) -> Iterator[DocumentRoom]:
    """A program without widgets."""
    with partyroom.connect("lesson", server=f"http://{server.host}") as room:
        yield room


def test_two_notebooks_and_a_script_have_the_same_values(kernels: tuple[Kernel, Kernel], script: DocumentRoom) -> None:
    ada, bob = kernels
    ada.run("speed.value = 4")
    bob.run(UNTIL.format("speed.value == 4"))
    assert script.map("widgets")["speed"] == 4
    bob.run("speed.value = 5.5")
    ada.run(UNTIL.format("speed.value == 5.5"))
    script.map("widgets")["speed"] = 7
    for kernel in kernels:
        kernel.run(UNTIL.format("speed.value == 7"))
        assert kernel.run("print([person.name for person in room.people][1:])") in ("['Bob']", "['Ada']")


def test_a_long_cell_sends_and_hears_all_the_while(kernels: tuple[Kernel, Kernel], script: DocumentRoom) -> None:
    """What arrives is on the page and in ``share.value`` at once; the widget and callbacks wait for the kernel."""
    ada, bob = kernels
    ada.sent.clear()
    cell = ada.start("""
told.clear()
speed.value = 100
while share.value != 200:
    time.sleep(0.005)
print(speed.value, told)
while True:  # until the page of the others' says so
    if share.value == 300: break
    time.sleep(0.005)
room.update()
print(speed.value, told)
""")
    bob.run(UNTIL.format("speed.value == 100"))
    bob.run("await __import__('asyncio').sleep(0.5); speed.value = 200")
    ada.sends({"value": 200})
    bob.run("speed.value = 300")
    assert ada.output(cell).splitlines() == ["100.0 [(100.0, True)]", "300.0 [(100.0, True), (300.0, True)]"]


def test_messages_to_the_page_from_two_threads_at_once_are_whole(kernels: tuple[Kernel, Kernel]) -> None:
    """Each has been signed by the kernel's session, and is checked by the client's; none is lost."""
    ada, _ = kernels
    ada.sent.clear()
    ada.run("""
label, strip = ipywidgets.Label(), room.strip
def work():
    for number in range(150):
        strip.notice = f"thread {number} " + "x" * 500
thread = threading.Thread(target=work)
thread.start()
for number in range(150):
    label.value = f"cell {number} " + "x" * 500
thread.join()
""")
    said = [
        str(state[name]).split()[:2] for message in ada.sent for state in [message["data"]["state"]] for name in state
    ]
    assert [number for who, number in said if who == "cell"] == [str(number) for number in range(150)]
    assert [number for who, number in said if who == "thread"] == [str(number) for number in range(150)]


def test_a_kernel_that_is_restarted_leaves_and_finds_all_when_it_is_back(kernels: tuple[Kernel, Kernel]) -> None:
    ada, bob = kernels
    ada.run("speed.value = 11; room.saved()")
    ada.restart()
    bob.run(UNTIL.format("len(room.people) == 1"))
    assert ada.run(JOIN.format(name="Ada") + "\nprint(speed.value)") == "11.0"
    bob.run(UNTIL.format("len(room.people) == 2"))


def test_what_is_moved_in_the_last_moment_of_a_program_arrives(server: Server, script: DocumentRoom) -> None:
    code = """
import ipywidgets, partyroom_widgets
room = partyroom_widgets.join("lesson", name="Eve")
last = ipywidgets.IntText(description="last")
room.share(last)
for number in range(1000):
    last.value = number
"""
    environ = {**os.environ, "PARTYROOM_URL": f"http://{server.host}", "PYTHONPATH": f"{ROOT}:{ROOT / 'notebooks'}"}
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60, env=environ)
    arrived = threading.Event()
    script.on_change(arrived.set)
    while script.map("widgets").get("last") != 999:
        assert arrived.wait(10)
        arrived.clear()


def test_what_is_moved_offline_is_merged_when_the_server_is_back(
    kernels: tuple[Kernel, Kernel], server: Server
) -> None:
    ada, bob = kernels
    ada.run("speed.value = 20; room.saved()")
    bob.run(UNTIL.format("speed.value == 20"))
    server.kill()
    for kernel in kernels:
        kernel.run(UNTIL.format("room.status == 'offline'"))
        kernel.sends({"status": "offline", "notice": "Offline: changes are kept and will be merged"})
    ada.run("speed.value = 21; other = ipywidgets.Text(description='other', value='x'); room.share(other)")
    bob.run("more = ipywidgets.IntText(description='more', value=3); room.share(more)")
    server.start()
    bob.run(UNTIL.format("speed.value == 21 and room.client.map('widgets').get('other') == 'x'"))
    ada.run(UNTIL.format("room.client.map('widgets').get('more') == 3 and room.status == 'synced'"))
    ada.sends({"status": "synced", "notice": "Live"})
