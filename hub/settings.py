"""Settings: typed classes, read from settings.toml, then PARANET_* variables, then flags. docs/settings.md tells what each is for."""

import math
import os
import re
from collections.abc import Mapping
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import attrs
import cattrs
import limits
import typed_settings as ts
from typed_settings.loaders import DictLoader, Loader

from paranet.errors import BadSettings

PREFIX = "PARANET_"
OTHERS = frozenset({"PARANET_URL", "PARANET_TOKEN", "PARANET_USERNAME", "PARANET_PASSWORD"})
"""variables that tell the other commands which hub is meant and who asks"""
SECTION = "paranet"


def _above(low: float) -> Any:
    return attrs.validators.gt(low)


def words(text: str) -> tuple[str, ...]:
    """Return the words of a list that is written with commas between."""
    return tuple(word for part in text.split(",") if (word := part.strip()))


def _rate(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    try:
        limits.parse(value)
    except ValueError:
        raise ValueError(f"'{attribute.name}' must be a rate such as 100/minute, not {value!r}") from None


def _networks(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    try:
        for word in words(value):
            ip_network(word)
    except ValueError:
        raise ValueError(f"'{attribute.name}' must be networks such as 10.0.0.0/8, commas between, not {value!r}") from None


def _origins(_instance: object, attribute: "attrs.Attribute[str]", value: str) -> None:
    for word in words(value):
        if not re.fullmatch(r"https?://[^/\s,*]+", word):
            raise ValueError(f"'{attribute.name}' must be origins such as https://app.example, commas between, not {value!r}")


def _redis_url(_instance: object, attribute: "attrs.Attribute[str]", value: str | None) -> None:
    if value is not None and not value.startswith(("redis://", "rediss://", "unix://")):
        raise ValueError(f"'{attribute.name}' must begin with redis://, rediss:// or unix://")


def _http_url(_instance: object, attribute: "attrs.Attribute[str]", value: str | None) -> None:
    if value is not None and not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise ValueError(f"'{attribute.name}' must be an address such as http://collector:4318, not {value!r}")


@attrs.frozen(kw_only=True)
class Server:
    """The door: where it listens and what it lets in."""

    host: str = "127.0.0.1"
    port: int = ts.option(default=8000, validator=[attrs.validators.ge(0), attrs.validators.le(65535)])
    data_dir: Path = Path("var")
    max_body: int = ts.option(default=16 * 2**20, validator=_above(1023))
    drain: float = ts.option(default=10.0, validator=_above(0))
    cache: int = ts.option(default=32 * 2**20, validator=_above(-1))
    origins: str = ts.option(default="", validator=_origins)
    trusted_proxies: str = ts.option(default="", validator=_networks)
    tls_cert: Path | None = None
    tls_key: Path | None = None


@attrs.frozen(kw_only=True)
class Auth:
    """How long a token lasts, in seconds."""

    access_ttl: int = ts.option(default=900, validator=_above(0))
    refresh_ttl: int = ts.option(default=14 * 86400, validator=_above(0))


@attrs.frozen(kw_only=True)
class Admin:
    """The first account."""

    password: str | None = ts.secret(default=None)


@attrs.frozen(kw_only=True)
class Network:
    """What stands behind the drivers."""

    interval: float = ts.option(default=1.0, validator=_above(0))
    seed: int = 1
    background_load: float = ts.option(default=0.05, validator=[attrs.validators.ge(0), attrs.validators.le(1)])
    demo: bool = False


@attrs.frozen(kw_only=True)
class Telemetry:
    """What is kept of the samples."""

    flush_every: float = ts.option(default=1.0, validator=_above(0))
    retention: float = ts.option(default=7 * 86400.0, validator=_above(0))
    max_bytes: int = ts.option(default=4 * 2**30, validator=_above(0))
    max_series: int = ts.option(default=50_000, validator=_above(0))
    scrape: str = ""
    scrape_interval: float = ts.option(default=15.0, validator=_above(0))


@attrs.frozen(kw_only=True)
class Alerts:
    """Who is told of alerts, and how soon."""

    webhook: str = ""
    alertmanager: str = ""
    group_wait: float = ts.option(default=3.0, validator=attrs.validators.ge(0))
    start_delay: float = ts.option(default=10.0, validator=attrs.validators.ge(0))


@attrs.frozen(kw_only=True)
class Realtime:
    """What one WebSocket client may cost."""

    max_clients: int = ts.option(default=6000, validator=_above(0))
    max_per_user: int = ts.option(default=5500, validator=_above(0))
    max_frame: int = ts.option(default=64 * 2**10, validator=_above(1023))
    max_backlog: int = ts.option(default=2**20, validator=_above(1023))
    max_subscriptions: int = ts.option(default=64, validator=_above(0))
    max_rate: float = ts.option(default=200.0, validator=_above(0))
    ping: float = ts.option(default=20.0, validator=_above(0))
    deflate: bool = ts.option(default=True)


@attrs.frozen(kw_only=True)
class Agent:
    """The assistant, and the language model behind it if there is one. Its key comes from the environment only."""

    base_url: str | None = None
    model: str = ""
    key_variable: str = "OPENAI_API_KEY"
    timeout: float = ts.option(default=30.0, validator=_above(0))
    max_tokens: int = ts.option(default=1024, validator=_above(0))
    context: int = ts.option(default=24_000, validator=_above(1999))
    per_minute: int = ts.option(default=30, validator=_above(0))
    idle: float = ts.option(default=900.0, validator=_above(0))


@attrs.frozen(kw_only=True)
class Limits:
    """How often one may ask."""

    user: str = ts.option(default="600000/minute", validator=_rate)
    address: str = ts.option(default="60000/minute", validator=_rate)
    expensive: str = ts.option(default="600/minute", validator=_rate)
    sign_in: str = ts.option(default="1200/minute", validator=_rate)
    connections: int = ts.option(default=6000, validator=_above(0))


@attrs.frozen(kw_only=True)
class Redis:
    """What hubs share."""

    url: str | None = ts.secret(default=None, validator=_redis_url)
    beat: float = ts.option(default=1.0, validator=_above(0))


@attrs.frozen(kw_only=True)
class Tracing:
    """Where traces go."""

    endpoint: str | None = ts.option(default=None, validator=_http_url)


@attrs.frozen(kw_only=True)
class Log:
    """What goes to stderr."""

    level: str = ts.option(default="INFO", validator=attrs.validators.in_(("DEBUG", "INFO", "WARNING", "ERROR")))


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that can be set."""

    server: Server = attrs.field(factory=Server)
    auth: Auth = attrs.field(factory=Auth)
    admin: Admin = attrs.field(factory=Admin)
    network: Network = attrs.field(factory=Network)
    telemetry: Telemetry = attrs.field(factory=Telemetry)
    alerts: Alerts = attrs.field(factory=Alerts)
    realtime: Realtime = attrs.field(factory=Realtime)
    agent: Agent = attrs.field(factory=Agent)
    limits: Limits = attrs.field(factory=Limits)
    redis: Redis = attrs.field(factory=Redis)
    tracing: Tracing = attrs.field(factory=Tracing)
    log: Log = attrs.field(factory=Log)


def load(file: Path | None, flags: Mapping[str, Mapping[str, object]]) -> Settings:
    """Return the settings. Without *file* `settings.toml` of the working directory is read if it is there. Raise BadSettings."""
    if file is not None and not file.is_file():
        raise BadSettings(f"there is no settings file {file}")
    files = [file] if file is not None else [f for f in (Path("settings.toml"),) if f.is_file()]
    known = set(variables()) | OTHERS
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise BadSettings(f"{unknown[0]} sets nothing: docs/settings.md lists the variables")
    loaders: list[Loader] = [
        ts.FileLoader({"*.toml": ts.TomlFormat(SECTION)}, files),
        ts.EnvLoader(PREFIX),
        DictLoader({section: dict(values) for section, values in flags.items()}),
    ]
    try:
        with attrs.validators.disabled():  # checked below, where a value out of range keeps its name
            settings = ts.load_settings(Settings, loaders, converter=_converter())
    except Exception as error:  # a TOML fault, an unknown option or a wrong type: each its own class, all the user's to read
        raise BadSettings("settings: " + _first_line(error, files)) from error
    for section in attrs.fields(Settings):
        try:
            attrs.validate(getattr(settings, section.name))
        except ValueError as error:
            raise BadSettings(f"settings: {section.name}.{str(error.args[0]).strip(chr(39)).replace(chr(39), '', 1)}") from error
    return _placed(settings, files, flags)


def _placed(settings: Settings, files: list[Path], flags: Mapping[str, Mapping[str, object]]) -> Settings:
    """Make data_dir absolute: what a file says is relative to the file, what a variable or a flag says to the working directory."""
    server = settings.server
    said_elsewhere = "data_dir" in flags.get("server", {}) or f"{PREFIX}SERVER_DATA_DIR" in os.environ
    base = files[0].parent if files and not said_elsewhere else Path()
    return attrs.evolve(settings, server=attrs.evolve(server, data_dir=(base / server.data_dir).absolute()))


def _converter() -> cattrs.Converter:
    """Text (from a variable) is read as what the option is; what has a type already (from the file) must have the right one."""
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=False)
    for kind, names in ((int, (int,)), (float, (int, float)), (bool, (bool,)), (str, (str,))):
        converter.register_structure_hook(kind, partial(_read, kind, names))
    converter.register_structure_hook(Path, lambda value, _: Path(_read(str, (str, type(Path())), value)))
    return converter


def _read(kind: type, types: tuple[type, ...], value: Any, _type: Any = None) -> Any:
    if isinstance(value, str) and kind is bool:
        if value.lower() not in ("true", "false"):
            raise ValueError("must be true or false")
        return value.lower() == "true"
    if isinstance(value, str) and kind in (int, float):
        value = kind(value)
    if type(value) not in types:
        raise ValueError(f"must be {kind.__name__}")
    if kind is float and not math.isfinite(value):
        raise ValueError("must be finite")
    return value if kind is not float else float(value)


def _first_line(error: BaseException, files: list[Path]) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join(str(error).split())
    if "'admin.password'" in text:  # a secret is not repeated
        text = "admin.password must be text"
    return text if not files or str(files[0]) in text else f"{files[0]}: {text}"


def variables() -> dict[str, str]:
    """Return every environment variable with the option it sets (`server.port`)."""
    sections = {section.name: section.type for section in attrs.fields(Settings)}
    return {
        f"{PREFIX}{name}_{option.name}".upper(): f"{name}.{option.name}"
        for name, cls in sections.items()
        if cls is not None
        for option in attrs.fields(cls)
    }
