"""Configuration files: TOML into frozen values, every fault at once, each with its path. No network, no globals.

Order: defaults < file < environment (`MEMFLEET_BROKER__URL`) < what the caller passes.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from telemetry.errors import ConfigError

PREFIX = "MEMFLEET_"

T = TypeVar("T", bound=msgspec.Struct)
_UNKNOWN = "unknown setting"

Name = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$",
        description="a name: letters, digits, `_`, `.` and `-`, at most 64, the first a letter or digit",
    ),
]
Positive = Annotated[int, msgspec.Meta(ge=1)]
_PORT = r"(6553[0-5]|655[0-2]\d|65[0-4]\d{2}|6[0-4]\d{3}|[1-5]\d{4}|[1-9]\d{0,3})"
BrokerUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=rf"^mqtts?://(\[[0-9A-Fa-f:.]+\]|[^\s/:@?#\[\]]+)(:{_PORT})?/?$",
        description="an address of a broker, `mqtt://host:port` or `mqtts://host:port`",
    ),
]
"""Anything else would end at another broker than was meant: a host without `mqtt://` is none to `urlsplit`."""
_HTTP_URL = r"https?://[^\s/?#]+([/?#]\S*)?"
_HTTP_WORDS = "an address, `http://host:port` or `https://host`"
HttpUrl = Annotated[str, msgspec.Meta(pattern=f"^{_HTTP_URL}$", description=_HTTP_WORDS)]
OptionalHttpUrl = Annotated[str, msgspec.Meta(pattern=f"^({_HTTP_URL})?$", description=_HTTP_WORDS)]
"""The same, or empty."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of a configuration file. What it has no setting for is a fault."""


class Broker(Settings, frozen=True):
    """The MQTT broker."""

    url: BrokerUrl = "mqtt://127.0.0.1:1883"
    """`mqtt://host:port`, or `mqtts://` for TLS."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    """MQTT version; auto: 5, and 3.1.1 when the broker says that it does not speak 5."""
    username: str = ""
    """User name at the broker; empty: none."""
    password_file: str = ""
    """File that holds the password (readable by its owner only)."""
    ca_file: str = ""
    """Certificate authority to trust instead of the system's, PEM."""
    cert_file: str = ""
    """Client certificate, PEM."""
    key_file: str = ""
    """Key of the client certificate, PEM."""

    def __post_init__(self) -> None:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file goes with a cert_file")
        if (self.ca_file or self.cert_file) and not self.url.startswith("mqtts:"):
            raise ValueError("ca_file and cert_file are of TLS, and the url is not: write mqtts://")


def load(kind: type[T], path: Path | None, environment: Mapping[str, str], **overrides: Any) -> T:
    """A configuration of that kind. ConfigError lists every fault of the file."""
    source = str(path) if path else "settings"
    document = _document(kind, path, environment)
    for name, value in overrides.items():
        if isinstance(value, dict) and isinstance(there := document.get(name), dict):
            document[name] = there | value  # of a table, what is not spoken of stays as it is
        elif value is not None:
            document[name] = value
    return convert(kind, document, source)


def load_what_is_right(kind: type[T], path: Path, environment: Mapping[str, str]) -> tuple[T | None, list[str]]:
    """A configuration without the settings of which something is wrong, or their tables where these cannot do without,
    and every fault: who looks further finds what else there is. None where it cannot do without one of the tables, or
    something is wrong with the whole. ConfigError when the file is none."""
    document = _document(kind, path, environment)
    faults = faults_in(kind, document)
    for place, of_one, said in (fault.partition(": ") for fault in faults):
        if not of_one:
            return None, faults
        _take_out(document, place)
        if said.startswith(_UNKNOWN):  # another setting was meant, and is missing
            _take_out(document, place.rpartition(".")[0])
    wrong = {re.split(r"[.\[:]", fault, maxsplit=1)[0] for fault in faults_in(kind, document)}
    right = {name: value for name, value in document.items() if name not in wrong}
    return (None if faults_in(kind, right) else msgspec.convert(right, kind)), faults


def _take_out(document: dict[str, Any], path: str) -> None:
    """Leave a setting out, and its whole list rather than one of many: the places of the others stay what they are."""
    table: Any = document
    *tables, name = re.sub(r"(\[\d+\])+$", "", path).replace("[", ".[").split(".")
    for key in tables:
        table = table[int(key[1:-1])] if key.startswith("[") else table.get(key)
        if not isinstance(table, dict | list):
            return
    table.pop(name, None)


def _document(kind: type[msgspec.Struct], path: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    document = {} if path is None else read(path)
    _merge_environment(document, kind, environment)
    return document


def once_each(**names_of: Sequence[str]) -> None:
    """ValueError, for a table's `__post_init__`, when one of the names of something stands there twice."""
    counted = {what: Counter(names).items() for what, names in names_of.items()}
    twice = [
        f"{what} {name} stands there more than once"
        for what, counts in counted.items()
        for name, count in counts
        if count > 1
    ]
    if twice:
        raise ValueError(f"{'; '.join(twice)}; each wants its own")


def read(path: Path) -> dict[str, Any]:
    """The document in a TOML file; ConfigError when it cannot be read or is none."""
    try:
        return parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ConfigError(str(path), [f"cannot be read: {error.strerror}"]) from None


def parse(data: bytes, source: str) -> dict[str, Any]:
    """The document in the bytes of a TOML file; ConfigError when it is none."""
    try:
        return tomllib.loads(data.decode("utf-8-sig"))  # editors of some systems begin a file with a mark
    except ValueError as error:  # not UTF-8, not TOML, a number of thousands of digits
        raise ConfigError(source, [f"is not TOML: {error}"]) from None
    except RecursionError:
        raise ConfigError(source, ["is not TOML: brackets within brackets without end"]) from None


def convert(kind: type[T], document: dict[str, Any], source: str) -> T:
    """Check a document against its kind: all faults together, unlike a single conversion, which stops at the first."""
    faults = faults_in(kind, document)
    if faults:
        raise ConfigError(source, faults)
    return msgspec.convert(document, kind)


def faults_in(kind: type[msgspec.Struct], document: dict[str, Any]) -> list[str]:
    """Every fault of a document, each with its path: what it has no setting for, what is missing or of another kind."""
    return in_order(_faults(kind, document, ""))


def in_order(faults: Collection[str]) -> list[str]:
    """Faults by their paths, numbers in them as numbers."""
    return sorted(faults, key=lambda fault: _place(fault.split(": ", 1)[0]))


def tables_in(document: Mapping[str, Any], name: str, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """The tables of a list in a document, each with its path; what is no table is a fault for `faults_in` to name."""
    items = document.get(name)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        if isinstance(item, dict):
            yield f"{_join(path, name)}[{index}]", item


def named_twice(tables: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[str]:
    """Names that two of these tables have, as faults."""
    seen: dict[str, str] = {}
    for path, table in tables:
        name = str(table.get("name", path))
        if seen.setdefault(name, path) != path:
            yield f"{path}.name: {name} is also the name of {seen[name]}"


def did_you_mean(name: str, known: Collection[str]) -> str:
    """What to say of a name that is none of the known ones: the nearest of them, "" where none is near."""
    near = difflib.get_close_matches(name, known, 1)
    return f" (did you mean {near[0]}?)" if near else ""


def _place(path: str) -> list[str | int]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def _faults(kind: Any, value: Any, path: str) -> list[str]:
    struct = _struct_in(kind)
    if struct is None or not isinstance(value, dict):
        return _list_faults(kind, value, path) or _leaf_faults(kind, value, path)
    hints, required = _settings_of(struct)
    faults = [f"{_join(path, name)}: {_UNKNOWN}{did_you_mean(name, hints)}" for name in value.keys() - hints]
    faults += [f"{_join(path, name)}: missing" for name in required - value.keys()]
    for name in value.keys() & hints.keys():
        faults += _faults(hints[name], value[name], _join(path, name))
    return faults or _leaf_faults(struct, value, path)


@cache
def _settings_of(struct: type[msgspec.Struct]) -> tuple[Mapping[str, Any], frozenset[str]]:
    """The settings of a table, as a file names them, with their kinds, and which of them it must have. Found once: each
    of dozens of rules is such a table, and to read its annotations takes longer than to check it."""
    fields, hints = msgspec.structs.fields(struct), get_type_hints(struct, include_extras=True)
    required = frozenset(field.encode_name for field in fields if field.required)
    return {field.encode_name: hints[field.name] for field in fields}, required


def _list_faults(kind: Any, value: Any, path: str) -> list[str]:
    arguments = get_args(kind)
    inner = arguments[0] if get_origin(kind) is tuple else next(filter(_struct_in, arguments), None)
    if inner is None or not isinstance(value, list):
        return []
    return [fault for index, item in enumerate(value) for fault in _faults(inner, item, f"{path}[{index}]")]


def _leaf_faults(kind: Any, value: Any, path: str) -> list[str]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = re.sub(r" - at `[^`]*`$", "", str(error))
        said = _what_it_is_to_be(kind, value) or text[0].lower() + text[1:]
        return [f"{path}: {said}" if path else said]
    return []


def _what_it_is_to_be(kind: Any, value: Any) -> str:
    """What is wrong with a value of which the kind says in words what it takes; "" where it does not."""
    if get_origin(kind) is Literal:
        choices = [str(choice) for choice in get_args(kind) if choice != ""]
        return f"{value!r} is none of {', '.join(choices)}{did_you_mean(str(value), choices)}"
    said = (one.description for one in get_args(kind) if isinstance(one, msgspec.Meta) and one.description)
    return next((f"{value!r} is not {description}" for description in said), "")


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _merge_environment(document: dict[str, Any], kind: type[msgspec.Struct], environment: Mapping[str, str]) -> None:
    for key, text in environment.items():
        if not key.startswith(PREFIX):
            continue
        parts = key.removeprefix(PREFIX).lower().split("__")
        if parts[0] not in get_type_hints(kind):
            continue  # another program's, or another kind's
        table, inner = document, kind
        for part in parts[:-1]:
            table = table.setdefault(part, {})
            inner = _struct_in(get_type_hints(inner).get(part)) or msgspec.Struct
            if not isinstance(table, dict):
                raise ConfigError(key, [f"{part} is not a table of settings, so it holds no {parts[-1]}"])
        table[parts[-1]] = _value(text, get_type_hints(inner, include_extras=True).get(parts[-1], Any))


def _value(text: str, kind: Any) -> Any:
    """The text itself where text is asked for; else numbers, booleans and lists as TOML writes them."""
    try:
        if kind is not Any:
            return msgspec.convert(text, kind)
    except msgspec.ValidationError:
        pass
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
