"""Tokens that open rooms, and the attacks that others' token checks have fallen to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from partyroom import Connection, DocumentParty, Lobby, Party, Refused, Request, Response
from partyroom.auth import Claims, Rule, Tokens, jwt
from partyroom.protocols import yjs
from partyroom.testing import fetch, settle, visit

SECRET = "a secret of at least thirty-two bytes"
TOKENS = jwt(SECRET, rooms="rooms", write="write")
TODAY = "/parties/notes/today"


class Notes(DocumentParty):
    """Opened by tokens; some may write."""

    on_before_connect = TOKENS
    can_write = TOKENS.can_write


class Chat(Party):
    """Tells who its visitor is."""

    on_before_connect = TOKENS

    def on_connect(self, connection: Connection) -> None:
        connection.send_json(connection.request.user)


@pytest.fixture
async def lobby() -> AsyncIterator[Lobby]:
    async with Lobby({"notes": Notes, "chat": Chat}) as lobby:
        yield lobby


def signed(seconds: float = 60, *, tokens: Tokens = TOKENS, **claims: Any) -> str:
    return tokens.sign({"rooms": ["today"], **claims}, seconds)


def refused(token: str | None, path: str = TODAY, tokens: Tokens = TOKENS, room: str = "today") -> Response:
    """The refusal of a request with this token."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    answer = tokens(Request.build(path, headers=headers, party="notes", room=room))
    assert isinstance(answer, Response), f"let in as {answer.user}"
    return answer


def admitted(token: str, room: str = "today", tokens: Tokens = TOKENS) -> Request:
    """The request with this token, as it is let in."""
    answer = tokens(Request.build("/", headers={"authorization": f"Bearer {token}"}, room=room))
    assert isinstance(answer, Request), answer.text()
    return answer


def forged(header: dict[str, Any], claims: dict[str, Any], key: bytes | None = None) -> str:
    """A token put together by hand; signed as HS256 signs, whatever its header says, or not at all."""
    parts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    body = b".".join(parts)
    signature = b"" if key is None else hmac.digest(key, body, hashlib.sha256)
    return (body + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


class TestLettingIn:
    async def test_a_token_in_the_query_opens_a_websocket_and_its_claims_are_the_user(self, lobby: Lobby) -> None:
        token = signed(sub="ada")
        async with visit(lobby, f"/parties/chat/today?token={token}") as socket:
            user = json.loads(await socket.receive())
        assert (user["sub"], user["rooms"]) == ("ada", ["today"])

    @pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
    async def test_a_bearer_token_opens_http(self, lobby: Lobby, scheme: str) -> None:
        answer = await fetch(lobby, f"{TODAY}/doc", headers={"authorization": f"{scheme} {signed()}"})
        assert answer.status == 200

    def test_another_kind_of_authorization_leaves_the_query_its_say(self) -> None:
        request = Request.build(f"/?token={signed()}", headers={"authorization": "Basic YTpi"}, room="today")
        assert isinstance(TOKENS(request), Request)

    @pytest.mark.parametrize("leeway", [0.0, 30.0])
    def test_the_issuers_clock_may_differ_by_the_leeway(self, leeway: float) -> None:
        tokens = jwt(SECRET, leeway=leeway)
        late, early = tokens.sign({}, seconds=-15), tokens.sign({"nbf": int(time.time()) + 15}, 60)
        for token in late, early:
            if leeway:
                admitted(token, tokens=tokens)
            else:
                assert refused(token, tokens=tokens).status == 401

    def test_public_keys_verify_what_an_issuer_signs(self) -> None:
        for private, name in (generate_private_key(65537, 2048), "RS256"), (Ed25519PrivateKey.generate(), "EdDSA"):
            public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
            token = pyjwt.encode({"exp": time.time() + 60, "sub": "ada"}, private, algorithm=name)
            tokens = jwt(public, algorithms=name)
            assert admitted(token, tokens=tokens).user["sub"] == "ada"
            with pytest.raises(ValueError, match="signs nothing"):
                tokens.sign({}, 60)

    def test_audience_and_issuer_are_checked_where_they_are_named(self) -> None:
        notes, chat = jwt(SECRET, audience="notes", issuer="us"), jwt(SECRET, audience="chat", issuer="us")
        admitted(notes.sign({}, 60), tokens=notes)
        for wrong in chat.sign({}, 60), notes.sign({"iss": "them"}, 60), jwt(SECRET).sign({}, 60):
            assert refused(wrong, tokens=notes).status == 401
        assert refused(chat.sign({}, 60), tokens=jwt(SECRET)).status == 401, "a token for somebody is not for anybody"


class TestRooms:
    @pytest.mark.parametrize(
        ("rooms", "room", "opens"),
        [
            ("today", "today", True),
            (["yesterday", "today"], "today", True),
            (["today"], "today2", False),
            (["team/*"], "team/notes", True),
            (["team/*"], "team", False),
            (["team/*"], "a/team/notes", False),
            ("*", "anything", True),
            (["to*ay"], "today", False),
            (["t?day", "[t]oday", ".*"], "today", False),
            (["today"], "*", False),
            (["TODAY"], "today", False),
            ([], "today", False),
            (None, "today", False),
            (True, "today", False),
            ({"today": True}, "today", False),
            ([7, None, ["today"]], "today", False),
        ],
    )
    def test_a_claim_names_rooms_one_by_one_or_by_their_beginning(self, rooms: Any, room: str, opens: bool) -> None:
        token = TOKENS.sign({"rooms": rooms}, 60)
        if opens:
            admitted(token, room)
        else:
            assert refused(token, room=room).status == 403

    def test_a_function_may_say_instead_of_a_claim(self) -> None:
        tokens = jwt(SECRET, rooms=lambda claims: [f"{claims['sub']}/*"])
        admitted(tokens.sign({"sub": "ada"}, 60), "ada/diary", tokens)
        assert refused(tokens.sign({"sub": "bob"}, 60), room="ada/diary", tokens=tokens).status == 403

    async def test_a_token_in_a_rooms_name_is_only_a_name(self, lobby: Lobby) -> None:
        token = signed(rooms=["*"])
        for path in (
            f"/parties/notes/{token}",
            f"/parties/notes/a%3Ftoken={token}",
            f"/parties/notes/a/?x=token={token}",
        ):
            assert (await fetch(lobby, path)).status == 401
            with pytest.raises(Refused, match="401"):
                async with visit(lobby, path):
                    pass

    async def test_the_room_that_counts_is_the_one_that_is_entered(self, lobby: Lobby) -> None:
        bearer = {"authorization": f"Bearer {signed()}"}
        for path in "/parties/notes/other/today", "/parties/notes/today%2F..", "/parties/notes/other?room=today":
            assert (await fetch(lobby, path, headers=bearer)).status == 403
        assert (await fetch(lobby, "/parties/notes/%74oday", headers=bearer)).status == 200


class TestWriting:
    @pytest.mark.parametrize(
        ("write", "writes"),
        [(True, True), (False, False), (None, False), ("true", False), (1, False), ("*", True), (["today"], True),
         (["other"], False), ({}, False)],
    )  # fmt: skip
    async def test_only_whom_the_claim_lets_write_changes_the_document(
        self, lobby: Lobby, write: Any, writes: bool
    ) -> None:
        async with visit(lobby, f"{TODAY}?token={signed(write=write)}") as socket:
            await socket.send(yjs.update(UPDATE))
            await settle()
            document = (await fetch(lobby, f"{TODAY}/doc", headers={"authorization": f"Bearer {signed()}"})).body
        assert (document == UPDATE) is writes

    @pytest.mark.parametrize("rule", [None, "write", lambda claims: claims["sub"] == "ada"])
    def test_who_came_in_without_a_token_writes_only_where_all_may(self, rule: Rule | None) -> None:
        assert jwt(SECRET, write=rule).may_write(Request(room="today")) is (rule is None)

    def test_a_function_may_decide(self) -> None:
        def editor(claims: Claims) -> bool:
            return claims.get("role") == "editor"

        tokens = jwt(SECRET, write=editor)
        for role, writes in ("editor", True), ("reader", False):
            assert tokens.may_write(admitted(tokens.sign({"role": role}, 60), tokens=tokens)) is writes


UPDATE = bytes.fromhex("01010100040104626f6479017800")
"""The one character x in the text ``body``."""


class TestRefusing:
    def test_nothing_is_asked_for_with_a_plain_challenge(self) -> None:
        answer = refused(None)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert "?token=" in answer.text()

    def test_a_refusal_says_what_is_wrong(self) -> None:
        expired = refused(signed(-60))
        assert (expired.status, expired.text()) == (401, "The token has expired\n")
        assert expired.headers["www-authenticate"].startswith('Bearer error="invalid_token", error_description="')
        early = refused(signed(nbf=int(time.time()) + 3600))
        assert (early.status, early.text()) == (401, "The token is not valid yet\n")
        endless = refused(signed(exp=None))
        assert (endless.status, endless.text()) == (401, "The token lacks the claim exp\n")
        wrong = refused(signed(rooms=["other"]))
        assert (wrong.status, wrong.text()) == (403, "This token does not open this room\n")
        assert 'error="insufficient_scope"' in wrong.headers["www-authenticate"]

    @pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", ""])
    def test_an_unsigned_token_is_refused_however_it_spells_that(self, name: str) -> None:
        claims = {"rooms": "*", "exp": time.time() + 60}
        for key in None, b"", SECRET.encode():
            assert refused(forged({"alg": name, "typ": "JWT"}, claims, key)).status == 401

    def test_a_public_key_is_no_shared_secret(self) -> None:
        """HS/RS confusion: the token is signed by HMAC with the text of the public key, which everybody has."""
        public = generate_private_key(65537, 2048).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        tokens = jwt(pem, algorithms="RS256")
        for header in {"alg": "HS256"}, {"alg": "RS256"}:
            assert refused(forged(header, {"exp": time.time() + 60}, pem), tokens=tokens).status == 401
        with pytest.raises(ValueError, match="no key for HS256"):
            jwt(pem, algorithms="HS256")

    def test_a_key_that_the_token_brings_along_does_not_count(self) -> None:
        own = b"the attacker's own secret, long enough"
        jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(own).decode()}
        for header in {"jwk": jwk}, {"jku": "https://evil.example"}, {"kid": "../../dev/null"}, {"x5c": ["AAAA"]}:
            token = forged({"alg": "HS256", **header}, {"rooms": "*", "exp": time.time() + 60}, own)
            assert refused(token).status == 401

    def test_other_algorithms_and_other_secrets_are_refused(self) -> None:
        claims = {"rooms": "*", "exp": time.time() + 60}
        longer = SECRET * 2
        assert refused(pyjwt.encode(claims, longer, algorithm="HS512"), tokens=jwt(longer)).status == 401
        assert refused(jwt(SECRET[::-1]).sign({"rooms": "*"}, 60)).status == 401

    def test_a_changed_token_is_refused(self) -> None:
        header, claims, signature = signed().split(".")
        more = base64.urlsafe_b64encode(b'{"rooms":"*","exp":9999999999}').decode().rstrip("=")
        for token in f"{header}.{more}.{signature}", f"{header}.{claims}.{signature[:-2]}", f"{header}.{claims}.":
            assert refused(token).status == 401

    @pytest.mark.parametrize(
        "junk",
        ["x", "..", "a.b.c", "é.é.é", "\ud800", "\0", "a" * 8000, base64.b64encode(b"[" * 6000).decode() + ".e30.e30",
         base64.b64encode(b'{"alg":["HS256"]}').decode().rstrip("=") + ".e30.e30"],
        ids=ascii,
    )  # fmt: skip
    def test_what_is_no_token_is_refused_and_nothing_breaks(self, junk: str) -> None:
        answer = refused(junk)
        assert (answer.status, answer.text()) == (401, "The token is not valid\n")

    async def test_a_refusal_touches_no_room(self, lobby: Lobby) -> None:
        for query in "", f"?token={signed(-60)}", f"?token={signed(rooms=[])}":
            with pytest.raises(Refused):
                async with visit(lobby, TODAY + query):
                    pass
            assert (await fetch(lobby, TODAY + query)).status in (401, 403)
        assert list(lobby.rooms()) == []


class TestSettingUp:
    @pytest.mark.parametrize(
        ("key", "algorithms", "wrong"),
        [
            ("short", "HS256", "at least 32 bytes"),
            ("x" * 63, "HS512", "at least 64 bytes"),
            (None, "HS256", "at least 32 bytes"),
            (SECRET, "none", "not accepted"),
            (SECRET, ["HS256", "None"], "not accepted"),
            (SECRET, [], "name the algorithm"),
            (SECRET, ["HS256", "RS256"], "cannot be both"),
            (SECRET, "RS256", "no key for RS256"),
            (SECRET, "XX256", "not known"),
        ],
    )
    def test_what_is_not_safe_is_refused_at_once(self, key: Any, algorithms: Any, wrong: str) -> None:
        with pytest.raises(ValueError, match=wrong):
            jwt(key, algorithms=algorithms)

    def test_a_secret_is_not_shown(self) -> None:
        assert SECRET not in repr(TOKENS)
