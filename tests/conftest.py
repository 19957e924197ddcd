"""Settings that every test shares."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# A busy machine is no reason to fail, and continuous integration tries the same examples each time.
settings.register_profile("default", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "default")


def pytest_collection_finish() -> None:
    """What is loaded by now stays: Python need not go through it whenever it looks for garbage."""
    gc.freeze()
