"""``python -m partyroom`` is ``partyroom``."""

from .cli import main

main()
