"""The home page: a fixed table of files, strict headers, and a page that says how to build it where it is not built."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from partyroom.http import Request, Response
from partyroom.web import PREFIX, Site

SCRIPT = "console.log('partyroom');\n" * 40
INDEX = '<!doctype html><script type="module" src=".partyroom/web/main-ABCD2345.js" nonce="{nonce}"></script>'


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    folder.mkdir()
    (folder / "index.html").write_text(INDEX)
    (folder / "main-ABCD2345.js").write_text(SCRIPT)
    (folder / "style-WXYZ6789.css").write_text("body { margin: 0 }")
    (folder / "favicon.svg").write_text("<svg/>")
    (folder / "sources.sha256").write_text("0" * 64)
    (tmp_path / "secret.js").write_text("not for the world")
    return folder


def got(response: Response | None) -> Response:
    assert response is not None
    return response


def ask(site: Site, path: str, **headers: str) -> Response | None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.answer(Request(path=path, headers=Request.build("/", headers=named).headers, host="localhost:1999"))


def policy(response: Response) -> dict[str, str]:
    parts = response.headers["content-security-policy"].split("; ")
    return {name: value for name, _, value in (part.partition(" ") for part in parts)}


def test_the_home_page_is_html_that_is_never_stored(dist: Path) -> None:
    page = got(ask(Site(dist), "/"))
    assert page.status == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["cache-control"] == "no-store"


def test_each_page_has_a_nonce_of_its_own_that_its_policy_names(dist: Path) -> None:
    site = Site(dist)
    pages = [got(ask(site, "/")) for _ in range(2)]
    nonces = [re.findall(r'nonce="([\w-]+)"', page.body.decode()) for page in pages]
    assert nonces[0] != nonces[1]
    for page, (nonce,) in zip(pages, nonces, strict=True):
        assert policy(page)["style-src"] == f"'self' 'nonce-{nonce}'"


def test_the_policy_allows_this_server_and_nobody_else(dist: Path) -> None:
    rules = policy(got(ask(Site(dist), "/")))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self' ws://localhost:1999 wss://localhost:1999"
    assert rules["frame-ancestors"] == "'self'"
    assert "'unsafe-inline'" not in " ".join(rules.values())


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "", "x,y", "a\r\nset-cookie: x=1"])
def test_a_host_that_is_no_host_does_not_enter_the_policy(dist: Path, host: str) -> None:
    page = got(Site(dist).answer(Request(path="/", host=host)))
    assert policy(page)["connect-src"] == "'self'"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:1999", "[::1]:1999", "rooms.example.org"])
def test_the_policy_names_the_host_for_websockets(dist: Path, host: str) -> None:
    page = got(Site(dist).answer(Request(path="/", host=host)))
    assert f"ws://{host}" in policy(page)["connect-src"].split()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("main-ABCD2345.js", "text/javascript; charset=utf-8"),
        ("style-WXYZ6789.css", "text/css; charset=utf-8"),
        ("favicon.svg", "image/svg+xml"),
    ],
)
def test_each_file_has_its_type_and_may_not_be_sniffed(dist: Path, name: str, kind: str) -> None:
    response = got(ask(Site(dist), PREFIX + name))
    assert response.body == (dist / name).read_bytes()
    assert response.headers["content-type"] == kind
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "same-origin"


def test_a_file_named_by_its_content_is_kept_and_others_are_asked_for_again(dist: Path) -> None:
    site = Site(dist)
    assert "immutable" in got(ask(site, PREFIX + "main-ABCD2345.js")).headers["cache-control"]
    assert got(ask(site, PREFIX + "favicon.svg")).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("form", ["{tag}", '"other", {tag}', "*"])
def test_a_file_that_the_browser_has_is_not_sent_again(dist: Path, form: str) -> None:
    site = Site(dist)
    tag = got(ask(site, PREFIX + "favicon.svg")).headers["etag"]
    again = got(ask(site, PREFIX + "favicon.svg", if_none_match=form.format(tag=tag)))
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == tag
    assert got(ask(site, PREFIX + "favicon.svg", if_none_match='"other"')).status == 200


@pytest.mark.parametrize("accepted", ["gzip", "br, GZIP;q=0.5", "deflate,gzip"])
def test_a_browser_that_takes_gzip_gets_it(dist: Path, accepted: str) -> None:
    response = got(ask(Site(dist), PREFIX + "main-ABCD2345.js", accept_encoding=accepted))
    assert response.headers["content-encoding"] == "gzip"
    assert response.headers["vary"] == "accept-encoding"
    assert gzip.decompress(response.body).decode() == SCRIPT


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "gzip; q=0.000", "x-gzippy"])
def test_a_browser_that_does_not_gets_the_plain_file(dist: Path, accepted: str) -> None:
    response = got(ask(Site(dist), PREFIX + "main-ABCD2345.js", accept_encoding=accepted))
    assert "content-encoding" not in response.headers
    assert response.body.decode() == SCRIPT


@pytest.mark.parametrize(
    "path",
    [
        PREFIX,
        PREFIX + "../secret.js",
        PREFIX + "..%2Fsecret.js",
        PREFIX + "%2e%2e/secret.js",
        PREFIX + "index.html",
        PREFIX + "sources.sha256",
        PREFIX + "main-ABCD2345.js/",
        "/.partyroom/rooms",
        "/parties/main/welcome",
        "/favicon.ico",
    ],
)
def test_what_is_not_in_the_table_is_not_the_pages(dist: Path, path: str) -> None:
    assert ask(Site(dist), path) is None


def test_only_reading_is_the_pages(dist: Path) -> None:
    site = Site(dist)
    assert got(site.answer(Request(path="/", method="HEAD"))).status == 200
    assert site.answer(Request(path="/", method="POST")) is None


def test_without_a_bundle_the_page_says_how_to_build_it(tmp_path: Path) -> None:
    page = got(ask(Site(tmp_path / "dist"), "/"))
    assert page.status == 503
    assert "python -m partyroom.web.build" in page.body.decode()
    assert "{nonce}" not in page.body.decode()


def test_without_a_bundle_there_are_no_files(tmp_path: Path) -> None:
    (tmp_path / "left-over.js").write_text("")
    assert ask(Site(tmp_path), PREFIX + "left-over.js") is None
