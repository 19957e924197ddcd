"""Pages: what runs and is shown in them, from files beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

__all__ = ["STATIC", "sources", "with_text"]

STATIC: Final = Path(__file__).parent / "static"


def sources(*names: str) -> dict[str, str]:
    """The script (``js``) and style sheet (``css``) of a widget, put together, after what all have in common."""
    return {
        kind: "\n".join((STATIC / f"{name}.{kind}").read_text("utf-8") for name in ("base", *names))
        for kind in ("js", "css")
    }


def with_text(bundle: Any, text: str) -> Any:
    """What a widget shows itself as, with ``text`` for those who show no widgets: in e-mails, on the web, in diffs."""
    data = bundle[0] if isinstance(bundle, tuple) else bundle
    if isinstance(data, dict):
        data["text/plain"] = text
    return bundle
