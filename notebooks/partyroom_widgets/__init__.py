"""Live shared widgets: any ipywidget, across kernels, notebooks, people and terminals, in one line.

::

    import ipywidgets, partyroom_widgets

    room = partyroom_widgets.join("lesson-3")       # shows who is here, when it is a cell's last line
    slider = ipywidgets.FloatSlider(description="speed")
    room.share(slider)                              # everybody who shares "speed" in this room moves it

What is shared is in the room's document, so it is there tomorrow, and a program without widgets has it as well::

    partyroom.connect("lesson-3").map("widgets")["speed"] = 2.5
"""

from __future__ import annotations

from .interact import Form
from .joining import join
from .people import Person
from .room import Room
from .share import Share

__all__ = ["Form", "Person", "Room", "Share", "join"]
