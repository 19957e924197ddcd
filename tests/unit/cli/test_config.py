"""``partyroom.toml``, the environment and flags: which one wins, and how a mistake reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from partyroom import Limits
from partyroom.cli.config import LISTS, SCALARS, TABLES, Config, ConfigError, limits, pairs, variable

GOOD = """
target = "chat.py:Chat"
port = 8000
data = "kept"
cors = true
log-level = "warning"
origin = ["https://a.example"]

[parties]
notes = "notes.py:Notes"
other = "my_app.rooms:Other"

[crons]
nightly = "0 3 * * *"

[limits]
message = "2 MiB"

[vars]
KEY = "from the file"
COUNT = 3
"""


def written(folder: Path, text: str) -> Path:
    (path := folder / "partyroom.toml").write_text(text)
    return path


def test_the_file_is_what_options_default_to_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    config = Config(written(tmp_path, GOOD), {})
    assert config.scalars() == {
        "target": f"{tmp_path}/chat.py:Chat",
        "port": 8000,
        "data": f"{tmp_path}/kept",
        "cors": True,
        "log_level": "warning",
    }
    assert config.table("parties", None) == {"notes": f"{tmp_path}/notes.py:Notes", "other": "my_app.rooms:Other"}
    assert config.table("crons", None) == {"nightly": "0 3 * * *"}
    assert config.list("origin", None) == ["https://a.example"]


def test_a_flag_wins_over_the_environment_and_that_over_the_file_entry_by_entry(tmp_path: Path) -> None:
    environ = {"PARTYROOM_VARS": "KEY=from the environment;MORE=a=b", "PARTYROOM_ORIGIN": "https://b.example;*"}
    config = Config(written(tmp_path, GOOD), environ)
    assert config.table("vars", ["MORE=from a flag"]) == {
        "KEY": "from the environment",
        "COUNT": 3,
        "MORE": "from a flag",
    }
    assert config.list("origin", None) == ["https://b.example", "*"]
    assert config.list("origin", ["https://c.example"]) == ["https://c.example"]


def test_without_a_file_there_is_nothing_to_default_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = Config(None, {})
    assert config.scalars() == {}
    assert config.table("limits", None) == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 8000", "there is no setting 'prot': did you mean 'port'?"),
        ("log_level = 'info'", "did you mean 'log-level'?"),
        ("zebra = 1", "there is no setting 'zebra'; there are target, host"),
        ("port = '8000'", "port is a whole number, not '8000'"),
        ("port = true", "port is a whole number, not True"),
        ("cors = 'yes'", "cors is true or false, not 'yes'"),
        ("origin = '*'", "origin is a list of texts"),
        ("limits = 3", "limits is a table, [limits], not 3"),
        ("[crons]\nnightly = 3", "crons.nightly is a text, not 3"),
        ("port = ", "is not TOML"),
    ],
)
def test_a_mistake_in_the_file_is_refused_with_what_would_be_right(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Config(written(tmp_path, text), {})
    assert says in str(refused.value)
    assert str(tmp_path / "partyroom.toml") in str(refused.value)


def test_a_file_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Config(tmp_path / "nowhere.toml", {})


def test_limits_are_numbers_sizes_or_none() -> None:
    assert limits({}) == Limits()
    said = {"message": "2 MiB", "buffer": "1.5kib", "idle": 0.5, "connections": "none", "rooms-": 1}
    del said["rooms-"]
    assert limits(said) == Limits(message=2 * 1024**2, buffer=1536, idle=0.5, connections=None)
    assert limits({"frames-per-second": "10"}).frames_per_second == 10


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"mesage": 1}, "did you mean 'message'?"),
        ({"message": "lots"}, "a number or a size such as 2 MiB, not 'lots'"),
        ({"message": "none"}, "a number or a size"),
        ({"message": -1}, "a number or a size"),
        ({"message": True}, "a number or a size"),
        ({"tags": 1.5}, "a whole number"),
    ],
)
def test_a_limit_that_is_none_is_refused(said: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigError, match="limit") as refused:
        limits(said)
    assert says in str(refused.value)


def test_a_pair_without_a_name_or_value_is_refused() -> None:
    for text in ("name", "=value"):
        with pytest.raises(ConfigError, match=r"--var takes name=value"):
            pairs([text], "--var")


def test_every_setting_of_the_file_is_a_flag_of_serve() -> None:
    from typer.main import get_command

    from partyroom.cli import app

    serve = get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {parameter.name: parameter for parameter in serve.params}
    singular = {"parties": "party", "crons": "cron", "limits": "limit", "vars": "var"}
    for key in (*SCALARS, *LISTS, *TABLES):
        option = options[singular.get(key, key).replace("-", "_")]
        if key in SCALARS:
            assert option.envvar == variable(key)
