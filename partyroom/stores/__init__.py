"""Where rooms keep their bytes: ``base`` is the contract, ``memory`` and ``sqlite`` keep it, ``suite`` checks them.

Nothing is imported here, so that ``import partyroom`` loads no database: import a store from its own module.
"""

__all__: list[str] = []
