"""Files beside the rooms: the right ones, with the right headers, and never one from anywhere else."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from urllib.parse import quote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from partyroom import Assets, Lobby, Party, Request, Response
from partyroom.assets import is_hashed
from partyroom.gateways.aiohttp import Server
from partyroom.testing import fetch

PAGE = {"sec-fetch-mode": "navigate", "accept": "text/html"}
SECRET = b"nobody may see this"


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds nothing but secrets, beside another; tests only read it."""
    folder = tmp_path_factory.mktemp("walled")
    (folder / "public/docs").mkdir(parents=True)
    for place in ("secret.txt", "public/.env", "public/docs/.env"):
        (folder / place).write_bytes(SECRET)
    return folder / "public"


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """The folder that is served, with something secret beside and within it."""
    folder = tmp_path / "public"
    for name, body in {
        "index.html": b"<h1>home</h1>",
        "docs/index.html": b"<h1>docs</h1>",
        "docs/a b.txt": b"spaced",
        "app-4f9a01c7.js": b"export {}",
        "app.js": b"export {}",
        "empty.css": b"",
        "numbers.bin": bytes(range(100)),
        "kätzchen.svg": b"<svg/>",
        ".env": SECRET,
        ".git/config": SECRET,
        "docs/.hidden": SECRET,
    }.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    (tmp_path / "secret.txt").write_bytes(SECRET)
    (tmp_path / "public-too").mkdir()
    (tmp_path / "public-too" / "secret.txt").write_bytes(SECRET)
    return folder


class Front(Party):
    """Answers what is no file at ``/api``."""

    @classmethod
    def on_fetch(cls, request: Request) -> Response | None:
        return Response("api") if request.path in ("/api", "/app.js") else None

    def on_request(self, request: Request) -> Response:
        return Response("a room")


class TestFinding:
    @pytest.mark.parametrize(
        ("path", "body"),
        [
            ("/", b"<h1>home</h1>"),
            ("/index.html", b"<h1>home</h1>"),
            ("/docs/", b"<h1>docs</h1>"),
            ("/docs/a%20b.txt", b"spaced"),
            ("/empty.css", b""),
            ("/k%C3%A4tzchen.svg", b"<svg/>"),
            ("/app.js?v=2", b"export {}"),
        ],
    )
    async def test_a_path_leads_to_its_file(self, public: Path, path: str, body: bytes) -> None:
        async with Lobby(Front, assets=public) as lobby:
            answer = await fetch(lobby, path)
            assert (answer.status, answer.body) == (200, body)
            assert await fetch(lobby, path, "HEAD") == answer, "a gateway sends the headers of it"

    async def test_a_folder_is_asked_for_again_with_its_slash_on_the_same_host(self, public: Path) -> None:
        async with Lobby(Front, assets=str(public)) as lobby:
            answer = await fetch(lobby, "/docs")
            assert (answer.status, answer.headers["location"]) == (308, "./docs/")
            twice = await lobby.fetch(Request(path="//docs"))
            assert twice.status == 404, "or a browser would go to a host called docs"

    async def test_rooms_come_first_then_files_then_on_fetch_then_pages(self, public: Path) -> None:
        (public / "parties/front").mkdir(parents=True)
        (public / "parties/front/x").write_text("a file")
        async with Lobby(Front, assets=public, pages=lambda request: Response("a page")) as lobby:
            assert (await fetch(lobby, "/parties/front/x")).body == b"a room"
            assert (await fetch(lobby, "/app.js")).body == b"export {}"
            assert (await fetch(lobby, "/api")).body == b"api"
            assert (await fetch(lobby, "/nothing")).body == b"a page"

    async def test_other_methods_are_for_on_fetch(self, public: Path) -> None:
        async with Lobby(Front, assets=public) as lobby:
            assert (await fetch(lobby, "/app.js", "POST")).body == b"api"
            assert (await fetch(lobby, "/index.html", "DELETE")).status == 404

    async def test_a_page_of_ones_own_is_sent_for_what_is_not_there(self, public: Path) -> None:
        (public / "404.html").write_text("lost?")
        async with Lobby(Front, assets=public) as lobby:
            answer = await fetch(lobby, "/nothing", headers={"range": "bytes=0-1"})
            assert (answer.status, answer.body) == (404, b"lost?")

    def test_a_folder_that_is_not_there_is_an_error_at_once(self, public: Path) -> None:
        for path in (public / "missing", public / "app.js"):
            with pytest.raises(ValueError, match="there is no folder"):
                Assets(path)


class TestHostilePaths:
    @pytest.mark.parametrize(
        "path",
        [
            "/../secret.txt",
            "/docs/../../secret.txt",
            "/%2e%2e/secret.txt",
            "/.%2e/secret.txt",
            "/..%2fsecret.txt",
            "/..%5csecret.txt",
            "/..\\secret.txt",
            "/docs/..%2f..%2fsecret.txt",
            "/docs%2f..%2f..%2fsecret.txt",
            "/%252e%252e/secret.txt",
            "/../public-too/secret.txt",
            "/.env",
            "/%2eenv",
            "/.env%00.txt",
            "/.git/config",
            "/docs/.hidden",
            "/docs/%2ehidden",
            "/index.html%00",
            "/index.html%00.txt",
            "/index.html.",
            "/index.html%20",
            "/index.html/",
            "/index.html::$DATA",
            "/C:%5cwindows",
            "//index.html",
            "/docs//index.html",
            "/./index.html",
            "/%ff",
            "/%0aindex.html",
            "/" + "a" * 5000,
            "/" + "a/" * 3000,
        ],
    )
    async def test_leads_nowhere(self, public: Path, path: str, caplog: pytest.LogCaptureFixture) -> None:
        async with Lobby(Front, assets=public) as lobby:
            answer = await lobby.fetch(Request(path=path))
            assert (answer.status, answer.body) == (404, b"Not found\n")
            absolute = await lobby.fetch(Request(path=str(public.parent / "secret.txt")))
            assert absolute.status == 404
        assert not caplog.records

    @given(parts=st.lists(st.sampled_from(["..", ".", "", "docs", "public", "secret.txt", ".env", "out", "\\", "\0"])))
    async def test_no_path_at_all_leads_to_a_secret(self, parts: list[str], walled: Path) -> None:
        assets = Assets(walled)
        for path in ("/".join(["", *parts]), "/".join(["", *map(quote, parts)]), "/" + quote("/".join(parts), safe="")):
            answer = await assets.answer(Request(path=path))
            assert answer is None or answer.body != SECRET

    async def test_a_link_is_followed_only_within_the_folder(self, public: Path) -> None:
        (public / "inside.js").symlink_to("app.js")
        (public / "out.txt").symlink_to(public.parent / "secret.txt")
        (public / "up").symlink_to(public.parent)
        (public / "beside").symlink_to(public.parent / "public-too")
        (public / "env.txt").symlink_to(".env")
        (public / "ring").symlink_to("ring")
        async with Lobby(Front, assets=public) as lobby:
            assert (await fetch(lobby, "/inside.js")).body == b"export {}"
            for path in ("/out.txt", "/up/secret.txt", "/beside/secret.txt", "/env.txt", "/ring"):
                assert (await fetch(lobby, path)).status == 404, path

    async def test_what_is_no_regular_file_is_not_opened(self, public: Path) -> None:
        os.mkfifo(public / "pipe")  # opening it would wait for a writer
        async with Lobby(Front, assets=public) as lobby:
            assert (await fetch(lobby, "/pipe")).status == 404

    async def test_a_file_that_cannot_be_read_is_a_500_that_says_nothing(
        self, public: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        async with Lobby(Front, assets=public) as lobby:
            monkeypatch.setattr(Path, "open", refuse)
            answer = await fetch(lobby, "/app.js")
            assert (answer.status, answer.text()) == (500, "This file cannot be read\n")
        assert str(public) in caplog.text


class TestHeaders:
    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("a.html", "text/html; charset=utf-8"),
            ("a.js", "text/javascript; charset=utf-8"),
            ("a.mjs", "text/javascript; charset=utf-8"),
            ("a.css", "text/css; charset=utf-8"),
            ("a.svg", "image/svg+xml; charset=utf-8"),
            ("a.json", "application/json; charset=utf-8"),
            ("a.webmanifest", "application/manifest+json; charset=utf-8"),
            ("a.png", "image/png"),
            ("a.wasm", "application/wasm"),
            ("a.woff2", "font/woff2"),
            ("a.tar.gz", "application/octet-stream"),
            ("a.unheard-of", "application/octet-stream"),
            ("LICENSE", "application/octet-stream"),
        ],
    )
    async def test_the_type_is_that_of_the_name(self, public: Path, name: str, kind: str) -> None:
        (public / name).write_text("x")
        async with Lobby(Front, assets=public) as lobby:
            headers = (await fetch(lobby, f"/{name}")).headers
        assert (headers["content-type"], headers["x-content-type-options"]) == (kind, "nosniff")

    async def test_a_file_that_is_the_same_is_not_sent_again(self, public: Path) -> None:
        async with Lobby(Front, assets=public) as lobby:
            first = await fetch(lobby, "/app.js")
            tag = first.headers["etag"]
            for condition in (tag, f'"other", W/{tag}', "*"):
                again = await fetch(lobby, "/app.js", headers={"if-none-match": condition})
                assert (again.status, again.body, again.headers["etag"]) == (304, b"", tag)
            (public / "app.js").write_text("export default 1")
            changed = await fetch(lobby, "/app.js", headers={"if-none-match": tag})
            assert (changed.status, changed.body) == (200, b"export default 1")

    async def test_a_hashed_name_is_kept_for_ever_and_any_other_asked_for_again(self, public: Path) -> None:
        async with Lobby(Front, assets=public) as lobby:
            assert "immutable" in (await fetch(lobby, "/app-4f9a01c7.js")).headers["cache-control"]
            assert (await fetch(lobby, "/app.js")).headers["cache-control"] == "no-cache"
        async with Lobby(Front, assets=Assets(public, max_age=60, immutable=lambda name: name == "app.js")) as lobby:
            assert "immutable" in (await fetch(lobby, "/app.js")).headers["cache-control"]
            assert (await fetch(lobby, "/app-4f9a01c7.js")).headers["cache-control"] == "public, max-age=60"

    @pytest.mark.parametrize(
        "name",
        [
            "index-4f9a01c7.js",
            "main.3f2a9c8b.chunk.js",
            "a-0123456789abcdef0123.css",
            "index-Bd7KxBCn.js",
            "b-5GHKJ3XA.js",
        ],
    )
    def test_what_bundlers_make_is_hashed(self, name: str) -> None:
        assert is_hashed(name) == ("chunk" not in name)

    @pytest.mark.parametrize(
        "name",
        [
            "index.html",
            "my-document.js",
            "photo-20240101.jpg",
            "photo-summer24.jpg",
            "photo-Summer24.jpg",
            "a-JavaScript.js",
            "a-OpenType.js",
            "report-FINAL2024.pdf",
            "VERSION2.txt",
            "4f9a01c7.js",
            "deadbeef",
            "jquery-3.7.1.js",
        ],
    )
    def test_what_people_call_their_files_is_not(self, name: str) -> None:
        assert not is_hashed(name)


class TestParts:
    @pytest.mark.parametrize(
        ("asked", "start", "end"),
        [
            ("bytes=0-9", 0, 10),
            ("bytes=90-", 90, 100),
            ("bytes=-10", 90, 100),
            ("bytes=50-500", 50, 100),
            ("bytes=-500", 0, 100),
        ],
    )
    async def test_a_part_is_sent_and_says_which(self, public: Path, asked: str, start: int, end: int) -> None:
        async with Lobby(Front, assets=public) as lobby:
            answer = await fetch(lobby, "/numbers.bin", headers={"range": asked})
        assert (answer.status, answer.body) == (206, bytes(range(start, end)))
        assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/100"

    @pytest.mark.parametrize(
        "asked", ["bytes=100-", "bytes=500-600", "bytes=9-3", "bytes=-0", "bytes=" + "9" * 18 + "-"]
    )
    async def test_a_part_that_is_not_there_is_a_416(self, public: Path, asked: str) -> None:
        async with Lobby(Front, assets=public) as lobby:
            answer = await fetch(lobby, "/numbers.bin", headers={"range": asked})
        assert (answer.status, answer.body, answer.headers["content-range"]) == (416, b"", "bytes */100")

    @pytest.mark.parametrize(
        "asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=a-b", "bytes=-", "bytes=" + "9" * 19 + "-", ""]
    )
    async def test_a_range_that_is_not_understood_is_not_heeded(self, public: Path, asked: str) -> None:
        async with Lobby(Front, assets=public) as lobby:
            assert (await fetch(lobby, "/numbers.bin", headers={"range": asked})).status == 200

    async def test_a_part_of_a_file_that_has_changed_is_sent_as_a_whole(self, public: Path) -> None:
        async with Lobby(Front, assets=public) as lobby:
            tag = (await fetch(lobby, "/numbers.bin")).headers["etag"]
            same = await fetch(lobby, "/numbers.bin", headers={"range": "bytes=0-1", "if-range": tag})
            other = await fetch(lobby, "/numbers.bin", headers={"range": "bytes=0-1", "if-range": '"other"'})
        assert (same.status, other.status) == (206, 200)

    async def test_a_large_file_is_sent_in_parts_only_and_no_part_is_too_large(
        self, public: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with Lobby(Front, assets=Assets(public, largest=40)) as lobby:
            whole = await fetch(lobby, "/numbers.bin")
            assert (whole.status, "ask for a part" in whole.text()) == (500, True)
            body = b""
            while len(body) < 100:
                part = await fetch(lobby, "/numbers.bin", headers={"range": f"bytes={len(body)}-"})
                assert (part.status, len(part.body) <= 40) == (206, True)
                body += part.body
            assert body == bytes(range(100))
        assert "has 100 bytes" in caplog.text

    async def test_all_who_ask_for_a_file_share_its_bytes_within_a_bound(
        self, public: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("partyroom.assets.CACHED", 250)
        for number in range(4):
            (public / f"{number}.bin").write_bytes(bytes([number]) * 100)
        async with Lobby(Front, assets=public) as lobby:
            first = await fetch(lobby, "/0.bin")
            assert (await fetch(lobby, "/0.bin")).body is first.body
            for number in range(4):
                assert (await fetch(lobby, f"/{number}.bin")).body == bytes([number]) * 100
            again = await fetch(lobby, "/0.bin")
            assert again.body == first.body
            assert again.body is not first.body


class TestSinglePages:
    @pytest.mark.parametrize("headers", [PAGE, {"accept": "text/html,*/*"}])
    @pytest.mark.parametrize("path", ["/", "/people/7", "/people/7/", "/old.html", "/parties", "/parties/chat"])
    async def test_a_page_that_is_nowhere_is_the_applications(
        self, public: Path, path: str, headers: dict[str, str]
    ) -> None:
        async with Lobby(Front, assets=Assets(public, spa=True)) as lobby:
            answer = await fetch(lobby, path, headers=headers)
            assert (answer.status, answer.body) == (200, b"<h1>home</h1>")
            assert answer.headers["cache-control"] == "no-cache"

    @pytest.mark.parametrize(
        ("path", "headers"),
        [
            ("/missing.js", PAGE),
            ("/people/7", {"sec-fetch-mode": "cors", "accept": "text/html"}),
            ("/people/7", {"accept": "application/json"}),
            ("/people/7", {}),
            ("/.env", PAGE),
            ("/..%2fsecret.txt", PAGE),
        ],
    )
    async def test_anything_else_is_not(self, public: Path, path: str, headers: dict[str, str]) -> None:
        async with Lobby(Front, assets=Assets(public, spa=True)) as lobby:
            assert (await fetch(lobby, path, headers=headers)).status == 404

    async def test_rooms_and_on_fetch_keep_their_answers(self, public: Path) -> None:
        async with Lobby(Front, assets=Assets(public, spa=True)) as lobby:
            assert (await fetch(lobby, "/parties/front/x", headers=PAGE)).body == b"a room"
            assert (await fetch(lobby, "/api", headers=PAGE)).body == b"api"
            assert (await fetch(lobby, "/parties/unknown/x", headers=PAGE)).status == 404


@pytest.mark.slow
async def test_a_gateway_sends_them_as_they_are(public: Path) -> None:
    async with (
        Server(Lobby(Front, assets=public), port=0) as server,
        aiohttp.ClientSession(server.url, headers={"accept-encoding": "identity"}) as http,
        asyncio.timeout(5),
    ):
        async with http.get("/numbers.bin") as whole, http.head("/numbers.bin") as head:
            tag = whole.headers["etag"]
            assert (await whole.read(), await head.read()) == (bytes(range(100)), b"")
            assert head.headers["content-length"] == whole.headers["content-length"] == "100"
            assert head.headers["etag"] == tag
        async with http.get("/numbers.bin", headers={"range": "bytes=5-9", "if-range": tag}) as part:
            assert (part.status, await part.read(), part.headers["content-length"]) == (206, bytes(range(5, 10)), "5")
        async with http.get("/numbers.bin", headers={"if-none-match": tag}) as same:
            assert (same.status, await same.read(), same.headers["etag"]) == (304, b"", tag)
        async with http.get("/numbers.bin", headers={"range": "bytes=100-"}) as beyond:
            assert (beyond.status, beyond.headers["content-range"]) == (416, "bytes */100")
        async with http.get("/docs") as folder:
            assert (str(folder.url), await folder.text()) == (f"{server.url}/docs/", "<h1>docs</h1>")
