"""Forms and interact: several widgets shared at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import ipywidgets
from IPython.display import display

from .share import Mode, Share

if TYPE_CHECKING:
    from .room import Room

__all__ = ["Form", "interact", "share_form"]

Function = TypeVar("Function", bound=Callable[..., Any])


class Form(Mapping[str, Share]):
    """Shared widgets by name. As a cell's last line it shows them, one below the other."""

    def __init__(self, shares: dict[str, Share]) -> None:
        self._shares = shares
        self._view: ipywidgets.VBox | None = None

    def __getitem__(self, name: str) -> Share:
        return self._shares[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shares)

    def __len__(self) -> int:
        return len(self._shares)

    def __repr__(self) -> str:
        return f"<Form {', '.join(self)}>"

    @property
    def value(self) -> dict[str, Any]:
        """What everybody has now, by name."""
        return {name: share.value for name, share in self._shares.items()}

    @property
    def view(self) -> ipywidgets.VBox:
        """The widgets with their tags, to be put beside others."""
        if self._view is None:
            self._view = ipywidgets.VBox([share.view for share in self._shares.values()])
        return self._view

    def stop(self) -> None:
        """Share them no more."""
        for share in self._shares.values():
            share.stop()

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.view._repr_mimebundle_(**kwargs)


def share_form(room: Room, widgets: Mapping[str, Any], mode: Mode) -> Form:
    """What ``Room.share_form`` does: each widget has its name as its key, and as its description if it has none.

    Where one cannot be shared, none is.
    """
    shares: dict[str, Share] = {}
    try:
        for name, widget in widgets.items():
            if getattr(widget, "description", None) == "":
                widget.description = name.replace("_", " ")
            shares[name] = room.share(widget, key=name, mode=mode)
    except BaseException:
        Form(shares).stop()
        raise
    return Form(shares)


def interact(room: Room, function: Function, mode: Mode, knobs: Mapping[str, Any]) -> Function:
    """What ``Room.interact`` does: ``ipywidgets.interact``, with knobs that all share who run the same function."""
    panel = ipywidgets.interactive(function, {"auto_display": True}, **knobs)
    for widget in panel.kwargs_widgets:
        if not isinstance(widget, ipywidgets.fixed):
            room.share(widget, key=f"{function.__name__}/{widget._kwarg}", mode=mode)
    display(panel)  # type: ignore[no-untyped-call]
    function.widget = panel  # type: ignore[attr-defined]  # as ipywidgets.interact does
    return function
