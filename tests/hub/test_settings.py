"""Settings: where they come from, that they are documented, and how wrong ones are refused."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from hub.cli import parser
from hub.settings import PREFIX, Settings, load, variables
from paranet.errors import BadSettings

ROOT = Path(__file__).parents[2]
ROW = re.compile(
    r"\| `(?P<setting>[\w.]+)` \| `(?P<variable>\w+)` \| (?:`(?P<flag>--[\w-]+)`)? ?\| (?P<default>.+?) \| (?P<meaning>.+?) \|"
)


@pytest.fixture(autouse=True)
def nobody_has_set_anything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty working directory and no variables of whoever runs the tests."""
    monkeypatch.chdir(tmp_path)
    for name in variables():
        monkeypatch.delenv(name, raising=False)


def documented() -> Mapping[str, re.Match[str]]:
    """Return the rows of docs/settings.md by setting."""
    lines = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines()
    return {found["setting"]: found for line in lines if (found := ROW.fullmatch(line))}


def defaults() -> dict[str, object]:
    """Return every setting with the default of its class."""
    settings = Settings()
    return {option: getattr(getattr(settings, option.partition(".")[0]), option.partition(".")[2]) for option in variables().values()}


def written(value: object) -> str:
    """Return a default as the page and settings.toml write it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f'`"{value}"`' if isinstance(value, (str, Path)) else f"`{value}`"


def write(text: str) -> Path:
    """Make a settings file."""
    file = Path("settings.toml")
    file.write_text(text, encoding="utf-8")
    return file


def refusal(text: str | None = None, flags: Mapping[str, Mapping[str, object]] | None = None) -> str:
    """Return the one line that a bad file, variable or flag is refused with."""
    if text is not None:
        write(text)
    with pytest.raises(BadSettings) as caught:
        load(None, flags or {})
    assert "\n" not in caught.value.detail
    assert len(caught.value.detail) < 400
    return caught.value.detail


# -- where they come from


def test_without_anything_the_defaults_count() -> None:
    """No file, no variable, no flag."""
    settings = load(None, {})
    assert attrs.evolve(settings, server=attrs.evolve(settings.server, data_dir=Path("var"))) == Settings()


def test_the_file_overrides_the_default() -> None:
    """settings.toml of the working directory, without being named."""
    write("[paranet.server]\nport = 1\n")
    assert load(None, {}).server.port == 1


def test_a_variable_overrides_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """PARANET_SERVER_PORT."""
    write("[paranet.server]\nport = 1\nhost = 'a'\n")
    monkeypatch.setenv("PARANET_SERVER_PORT", "2")
    settings = load(None, {})
    assert (settings.server.port, settings.server.host) == (2, "a")


def test_a_flag_overrides_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """--port."""
    write("[paranet.server]\nport = 1\n")
    monkeypatch.setenv("PARANET_SERVER_PORT", "2")
    assert load(None, {"server": {"port": 3}}).server.port == 3


def test_a_file_that_is_named_is_read_instead(tmp_path: Path) -> None:
    """settings.toml does not count then."""
    write("[paranet.server]\nport = 1\n")
    other = tmp_path / "other.toml"
    other.write_text("[paranet.server]\nhost = 'b'\n")
    settings = load(other, {})
    assert (settings.server.port, settings.server.host) == (8000, "b")


def test_a_file_that_is_named_must_be_there() -> None:
    """A typing error in --settings is no reason for the defaults."""
    with pytest.raises(BadSettings, match=r"there is no settings file nowhere\.toml"):
        load(Path("nowhere.toml"), {})


def test_tables_of_others_are_left_alone() -> None:
    """The file may be shared."""
    write("[tool]\nx = 1\n[paranet.server]\nport = 1\n")
    assert load(None, {}).server.port == 1


@pytest.mark.parametrize("variable", list(variables()))
def test_every_setting_has_a_variable_that_sets_it(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """PARANET_<SECTION>_<NAME>, as text."""
    text = {
        "PARANET_LOG_LEVEL": "DEBUG",
        "PARANET_NETWORK_DEMO": "true",
        "PARANET_NETWORK_BACKGROUND_LOAD": "0.5",
        "PARANET_REALTIME_DEFLATE": "true",
        "PARANET_SERVER_ORIGINS": "https://app.example",
        "PARANET_SERVER_TRUSTED_PROXIES": "10.0.0.0/8",
        "PARANET_LIMITS_USER": "7/minute",
        "PARANET_LIMITS_ADDRESS": "7/minute",
        "PARANET_LIMITS_EXPENSIVE": "7/minute",
        "PARANET_LIMITS_SIGN_IN": "7/minute",
        "PARANET_REDIS_URL": "redis://localhost",
        "PARANET_TRACING_ENDPOINT": "http://collector:4318",
    }.get(variable, "4321")
    monkeypatch.setenv(variable, text)
    section, _, name = variables()[variable].partition(".")
    value = getattr(getattr(load(None, {}), section), name)
    wanted = {"true": True, "0.5": 0.5}.get(text, 4321 if isinstance(value, (int, float)) else text)
    assert (value.name if isinstance(value, Path) else value) == wanted


# -- the papers


def test_every_setting_is_documented_and_nothing_else() -> None:
    """docs/settings.md has a row for each setting there is, and none for one there was."""
    assert list(documented()) == list(variables().values())


def test_the_documented_variables_are_the_variables() -> None:
    """Letter for letter."""
    assert {row["variable"]: setting for setting, row in documented().items()} == variables()


def test_the_documented_defaults_are_the_defaults() -> None:
    """As TOML writes them."""
    assert {setting: row["default"] for setting, row in documented().items()} == {s: written(v) for s, v in defaults().items()}


def test_the_documented_flags_are_the_flags() -> None:
    """Those of `paranet serve`, but for the one that names the file."""
    (commands,) = (action for action in parser()._actions if action.choices and "serve" in action.choices)
    serve = dict(commands.choices or {})["serve"]
    flags = {option for action in serve._actions for option in action.option_strings if option.startswith("--")}
    assert {row["flag"] for row in documented().values() if row["flag"]} == flags - {"--help", "--settings"}


def test_the_repositorys_file_holds_every_default() -> None:
    """settings.toml says each setting and its default; a password has none."""
    document = tomllib.loads((ROOT / "settings.toml").read_text(encoding="utf-8"))["paranet"]
    found = {f"{section}.{name}": value for section, options in document.items() for name, value in options.items()}
    wanted = {setting: str(value) if isinstance(value, Path) else value for setting, value in defaults().items() if value is not None}
    assert found == wanted
    assert {name: type(value) for name, value in found.items()} == {name: type(value) for name, value in wanted.items()}


def test_the_repositorys_file_loads_as_the_defaults() -> None:
    """A data directory in a file is relative to the file."""
    settings = load(ROOT / "settings.toml", {})
    assert settings.server.data_dir == ROOT / "var"
    assert attrs.evolve(settings, server=attrs.evolve(settings.server, data_dir=Path("var"))) == Settings()


def test_every_line_of_the_repositorys_file_says_what_it_is_for() -> None:
    """A comment behind each setting."""
    lines = (ROOT / "settings.toml").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if "=" in line and not line.startswith("#") and "  # " not in line] == []


# -- what is wrong


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nonsense\n", ["settings.toml", "line 1"]),
        ("[paranet\n", ["settings.toml", "line 1"]),
        ("[paranet.server]\nport = 1\nport = 2\n", ["settings.toml", "line 3"]),
        ("[paranet.server]\ncolour = 1\n", ["settings.toml", "server.colour"]),
        ("[paranet.kitchen]\nx = 1\n", ["settings.toml", "kitchen"]),
        ("[paranet]\nserver = 7\n", ["settings.toml", "server"]),
        ("paranet = 7\n", ["settings.toml"]),
    ],
)
def test_a_broken_file_is_refused_with_its_name_and_place(text: str, words: list[str]) -> None:
    """One line: the file, and the line or the option."""
    message = refusal(text)
    assert [word for word in words if word not in message] == []


def test_a_file_that_is_no_text_is_refused() -> None:
    """Bytes that are no UTF-8."""
    Path("settings.toml").write_bytes(b"\xff\xfe\x00")
    refusal()


@pytest.mark.parametrize(
    ("section", "line", "option"),
    [
        ("server", 'port = "x"', "server.port"),
        ("server", "port = 1.5", "server.port"),
        ("server", "port = true", "server.port"),
        ("server", "port = [1]", "server.port"),
        ("server", "host = 7", "server.host"),
        ("server", "data_dir = 7", "server.data_dir"),
        ("server", 'drain = "soon"', "server.drain"),
        ("network", 'demo = "maybe"', "network.demo"),
        ("network", "demo = 1", "network.demo"),
        ("admin", "password = 7", "admin.password"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_with_its_name(section: str, line: str, option: str) -> None:
    """Nothing is coerced: 1.5 is no port, and 1 is not true."""
    assert option in refusal(f"[paranet.{section}]\n{line}\n")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ("server", "port = -1"),
        ("server", "port = 65536"),
        ("server", "max_body = 10"),
        ("server", "drain = 0"),
        ("server", "drain = nan"),
        ("server", "drain = inf"),
        ("auth", "access_ttl = 0"),
        ("network", "interval = -1"),
        ("network", "background_load = 1.1"),
        ("telemetry", "max_series = 0"),
        ("realtime", "ping = inf"),
        ("realtime", "max_clients = 0"),
        ("realtime", "max_per_user = 0"),
        ("tracing", 'endpoint = "collector:4318"'),
        ("log", 'level = "LOUD"'),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_name(section: str, line: str) -> None:
    """Section and name, so that it can be found."""
    message = refusal(f"[paranet.{section}]\n{line}\n")
    assert section in message
    assert line.partition(" ")[0] in message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PARANET_SERVER_PORT", "x"),
        ("PARANET_SERVER_PORT", ""),
        ("PARANET_SERVER_PORT", "99999"),
        ("PARANET_NETWORK_DEMO", "maybe"),
        ("PARANET_SERVER_DRAIN", "nan"),
        ("PARANET_SERVER_MAX_BODY", "1e6"),
        ("PARANET_LOG_LEVEL", "loud"),
    ],
)
def test_a_bad_variable_is_refused_with_its_setting(monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """The name of the setting that it would have set."""
    monkeypatch.setenv(variable, value)
    assert variables()[variable].partition(".")[2] in refusal()


@pytest.mark.parametrize("name", ["PARANET_SERVER_PROT", "PARANET_X", "PARANET_", "PARANET_SERVER"])
def test_a_variable_that_sets_nothing_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A typing error must not pass for a default."""
    assert name.startswith(PREFIX)
    monkeypatch.setenv(name, "1")
    assert refusal().startswith(f"{name} sets nothing")


def test_a_flag_out_of_range_is_refused() -> None:
    """Flags are held to the same."""
    assert "port" in refusal(flags={"server": {"port": 70000}})


def test_the_password_is_never_shown() -> None:
    """Not when settings are printed."""
    write("[paranet.admin]\npassword = 'geheim'\n")
    settings = load(None, {})
    assert settings.admin.password == "geheim"
    assert "geheim" not in repr(settings)


def test_a_password_of_the_wrong_type_is_not_shown() -> None:
    """The line that refuses it ends up in logs."""
    assert "31415926" not in refusal("[paranet.admin]\npassword = 31415926\n")
