"""Keys in the order in which they come, however many come at once."""

from __future__ import annotations

from textual import events
from textual.widget import Widget

__all__ = ["act"]


async def act(widget: Widget, event: events.Key) -> bool:
    """Do what a key is bound to in a widget, now; returns whether it is bound to anything there.

    Textual asks a widget first what a key writes, and looks for bindings once the event has gone all the way up to the
    app: later than for the letters that follow it. Where keys come all at once (over a slow line, from a program, or in
    a process that was busy), what was typed after End or Enter would be written before it.
    """
    for namespace, bindings in widget.screen._modal_binding_chain:
        if namespace is widget:
            for binding in bindings.key_to_bindings.get(event.key, ()):
                if not binding.priority and await widget.app.run_action(binding.action, widget):
                    event.stop()
                    event.prevent_default()
                    return True
    return False
