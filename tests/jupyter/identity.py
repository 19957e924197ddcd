"""An identity provider for tests, as the text of a configuration: whoever shows the token says who they are."""

from __future__ import annotations

from tests.jupyter.server import TOKEN

__all__ = ["MARKUP", "NAMED"]

MARKUP = "<img src=x onerror=\"window.ran='yes'\">"
NAMED = f"""
from jupyter_server.auth import PasswordIdentityProvider, User

class Named(PasswordIdentityProvider):
    def generate_anonymous_user(self, handler):
        name = handler.get_query_argument("as", "ada")
        return User(name, {{"ada": "Ada Lovelace", "eve": {MARKUP!r}}}.get(name, name), color="rebeccapurple")

c.ServerApp.identity_provider_class = Named
c.Named.token = {TOKEN!r}
"""
