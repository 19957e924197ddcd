"""Requests, responses, headers and paths are plain values that say what came over the wire, and no more."""

from __future__ import annotations

import dataclasses
import json

import pytest

from partyroom.http import Address, Headers, Query, Request, Response, origin_allowed, split_path


class TestQuery:
    def test_a_name_given_twice_reads_as_its_first_value(self) -> None:
        query = Query([("a", "1"), ("b", "2"), ("a", "3")])
        assert query["a"] == "1"
        assert query.all("a") == ["1", "3"]
        assert query.pairs() == (("a", "1"), ("b", "2"), ("a", "3"))

    def test_counts_names_and_not_pairs(self) -> None:
        query = Query([("a", "1"), ("a", "2")])
        assert len(query) == 1
        assert list(query) == ["a"]

    def test_names_are_case_sensitive(self) -> None:
        assert "A" not in Query({"a": "1"})

    def test_a_missing_name_raises_and_get_gives_the_default(self) -> None:
        with pytest.raises(KeyError):
            Query()["nothing"]
        assert Query().get("nothing", "default") == "default"


class TestHeaders:
    def test_names_are_read_in_any_case_and_kept_in_lower_case(self) -> None:
        headers = Headers({"Content-Type": "text/plain"})
        assert headers["CONTENT-TYPE"] == headers.get("content-type") == "text/plain"
        assert list(headers) == ["content-type"]

    def test_a_repeated_header_is_kept(self) -> None:
        headers = Headers([("Set-Cookie", "a=1"), ("set-cookie", "b=2")])
        assert headers.all("SET-COOKIE") == ["a=1", "b=2"]

    def test_equal_headers_hash_alike(self) -> None:
        assert hash(Headers({"A": "1"})) == hash(Headers({"a": "1"}))
        assert Headers({"A": "1"}) == Headers({"a": "1"})


class TestRequest:
    def test_build_reads_every_part_of_a_url(self) -> None:
        request = Request.build(
            "https://example.com:8080/parties/chat/a%20b?x=1&x=2&empty=", "POST", headers={"X-Y": "z"}, body=b"hi"
        )
        assert request.method == "POST"
        assert request.path == "/parties/chat/a%20b"
        assert request.query.pairs() == (("x", "1"), ("x", "2"), ("empty", ""))
        assert request.headers["x-y"] == "z"
        assert request.text() == "hi"
        assert request.url == "https://example.com:8080/parties/chat/a%20b"

    def test_build_of_a_relative_url_has_a_host(self) -> None:
        assert Request.build("").url == "http://localhost/"

    def test_is_frozen_and_replace_makes_a_copy(self) -> None:
        request = Request.build("/x")
        with pytest.raises(dataclasses.FrozenInstanceError):
            request.user = "eve"  # type: ignore[misc]
        assert request.replace(user="alice").user == "alice"
        assert request.user is None

    def test_json_of_a_broken_body_raises_value_error(self) -> None:
        for body in (b"{", b"\xff"):
            with pytest.raises(ValueError):  # noqa: PT011 - either of two subclasses, as documented
                Request.build("/", body=body).json()

    def test_env_does_not_show_in_the_repr(self) -> None:
        assert "hunter2" not in repr(Request.build("/", env={"password": "hunter2"}))


class TestResponse:
    def test_text_and_bytes_say_what_they_are(self) -> None:
        assert Response("hé").body == "hé".encode()
        assert Response("hé").headers["content-type"] == "text/plain; charset=utf-8"
        assert Response(b"\0").headers["content-type"] == "application/octet-stream"
        assert len(Response(status=204).headers) == 0

    def test_a_content_type_of_ones_own_is_kept(self) -> None:
        response = Response("<p>", headers={"Content-Type": "text/html"})
        assert response.headers.all("content-type") == ["text/html"]

    def test_json_is_compact_utf_8(self) -> None:
        response = Response.json({"a": "é"}, 201)
        assert response.body == '{"a":"é"}'.encode()
        assert (response.status, response.headers["content-type"]) == (201, "application/json")

    def test_json_with_a_content_type_of_ones_own_has_only_that(self) -> None:
        response = Response.json({}, headers={"Content-Type": "application/ld+json"})
        assert response.headers.all("content-type") == ["application/ld+json"]

    def test_json_of_half_a_surrogate_pair_is_escaped_as_javascript_does(self) -> None:
        assert json.loads(Response.json("a\ud800").body) == "a\ud800"

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_json_refuses_what_json_cannot_say(self, value: float) -> None:
        with pytest.raises(ValueError, match="JSON"):
            Response.json(value)

    def test_with_headers_replaces_those_of_the_same_name(self) -> None:
        response = Response("x", headers=[("Vary", "a"), ("vary", "b"), ("etag", "1")]).with_headers({"VARY": "c"})
        assert response.headers.all("vary") == ["c"]
        assert response.headers["etag"] == "1"


class TestSplitPath:
    @pytest.mark.parametrize(
        ("path", "party", "room", "rest"),
        [
            ("/parties/chat/lobby", "chat", "lobby", ""),
            ("/parties/chat/lobby/", "chat", "lobby", ""),
            ("//parties//chat///lobby", "chat", "lobby", ""),
            ("/parties/chat/lobby/a/b%2Fc", "chat", "lobby", "a/b/c"),
            ("/parties/chat/a%2Fb", "chat", "a/b", ""),
            ("/parties/chat/a%252Fb", "chat", "a%2Fb", ""),
            ("/parties/chat/%E2%98%83", "chat", "☃", ""),
            ("/parties/chat/..", "chat", "..", ""),
            ("/parties/chat/%00", "chat", "\0", ""),
            ("/parties/chat/100%", "chat", "100%", ""),
            ("/parties/chat/a+b", "chat", "a+b", ""),
            ("/party/lobby", "main", "lobby", ""),
            ("/party/lobby/rest", "main", "lobby", "rest"),
            ("/parties/party/x", "party", "x", ""),
        ],
    )
    def test_an_address_is_split_raw_and_decoded_once(self, path: str, party: str, room: str, rest: str) -> None:
        assert split_path(path) == (Address(party, room), rest)

    @pytest.mark.parametrize(
        "path", ["", "/", "/parties", "/parties/chat", "/parties/chat/", "/party", "/x/chat/lobby", "/Parties/a/b"]
    )
    def test_what_addresses_no_room_is_none(self, path: str) -> None:
        assert split_path(path) is None

    def test_a_prefix_may_have_several_segments(self) -> None:
        assert split_path("/api/rooms/chat/x", prefix="api/rooms") == (Address("chat", "x"), "")
        assert split_path("/parties/chat/x", prefix="api/rooms") is None

    def test_what_is_not_utf_8_raises(self) -> None:
        with pytest.raises(UnicodeDecodeError):
            split_path("/parties/chat/%FF")


class TestOriginAllowed:
    @pytest.mark.parametrize(
        ("origin", "allowed", "expected"),
        [
            (None, [], True),
            ("http://here:1999", [], True),
            ("https://HERE:1999", [], True),
            ("http://here", [], False),
            ("http://evil.com", [], False),
            ("http://here:1999.evil.com", [], False),
            ("null", [], False),
            ("", [], False),
            ("null", ["*"], True),
            ("https://app.example.com", ["https://app.example.com"], True),
            ("https://app.example.com", ["https://APP.example.com/"], True),
            ("http://app.example.com", ["https://app.example.com"], False),
            ("https://a.example.com", ["https://*.example.com"], True),
            ("https://a.b.example.com", ["https://*.example.com"], True),
            ("https://example.com", ["https://*.example.com"], False),
            ("https://evilexample.com", ["https://*.example.com"], False),
            ("https://evil.com/.example.com", ["https://*.example.com"], False),
            ("https://a.example.com.evil.com", ["https://*.example.com"], False),
            ("https://a.example.com:8443", ["https://*.example.com"], False),
            ("https://a.example.com:8443", ["https://*.example.com:8443"], True),
        ],
    )
    def test_only_the_same_host_and_listed_pages_may_connect(
        self, origin: str | None, allowed: list[str], expected: bool
    ) -> None:
        headers = {} if origin is None else {"Origin": origin}
        assert origin_allowed(Request.build("http://here:1999/x", headers=headers), allowed) is expected

    @pytest.mark.parametrize("origin", ["http://[", "http://]", "http://[::1", "http://\udcff", "\0"])
    def test_an_origin_that_is_no_url_is_refused_and_not_an_error(self, origin: str) -> None:
        assert not origin_allowed(Request.build("http://here/x", headers={"Origin": origin}), ["https://a.example"])
