"""Grafana's published dashboard schema, as a check: Grafana generates its package grafana-foundation-sdk from it.

Its classes do not look at what they are given, so this walks their annotations: unknown fields, missing ones that have
no default, wrong types, values that an enumeration does not have. Open here is what the schema leaves open: settings of
transformations, and queries of data sources that it does not know, InfluxDB's among them.
"""

from __future__ import annotations

import enum
import typing
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # it would rather have the form that came with Grafana 12
    from grafana_foundation_sdk.cog import plugins, runtime, variants
    from grafana_foundation_sdk.models import alerting
    from grafana_foundation_sdk.models import dashboard as schema

plugins.register_default_plugins()

_PLAIN: Mapping[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def faults(model: Mapping[str, Any]) -> list[str]:
    """What a dashboard has against the schema, each with its path; empty when nothing."""
    return list(_object(schema.Dashboard, model, "dashboard", ""))


def faults_of_rules(group: Mapping[str, Any]) -> list[str]:
    """The same for a group of alert rules."""
    return list(_object(alerting.RuleGroup, group, "group", ""))


def _object(kind: Any, value: Any, path: str, panel: str) -> Iterator[str]:
    """`panel` is the plugin of the panel that the value belongs to, if any: its options have types of their own."""
    if not isinstance(value, Mapping):
        yield f"{path}: {value!r:.60} is no {kind.__name__}"
        return
    panel = value.get("type", "") if kind is schema.Panel else panel
    hints, attributes = typing.get_type_hints(kind), _attributes(kind)
    for name, one in value.items():
        if name in attributes:
            hint = _of_plugin(kind, name, panel) or hints[attributes[name]]
            yield from _value(hint, one, f"{path}.{name}", panel)
        else:
            yield f"{path}: {kind.__name__} has no {name}"
    for name in _needed(kind) - value.keys():
        yield f"{path}: {kind.__name__} needs {name}"


def _attributes(kind: Any) -> dict[str, str]:
    """Field in the document -> attribute: the class writes a document whose values are the attributes' names."""
    blank = object.__new__(kind)
    for attribute in typing.get_type_hints(kind):
        setattr(blank, attribute, attribute)
    written: dict[str, str] = blank.to_json()
    return written


def _needed(kind: Any) -> set[str]:
    """Fields that are always written and for which the schema has no default."""
    blank = object.__new__(kind)
    for attribute in typing.get_type_hints(kind):
        setattr(blank, attribute, None)
    defaults, attributes = vars(kind()), _attributes(kind)
    return {name for name in blank.to_json() if defaults[attributes[name]] in ("", None, [])}


def _of_plugin(kind: Any, name: str, panel: str) -> Any:
    """The type of a panel's options, or of what it adds to a field."""
    if (kind, name) not in ((schema.Panel, "options"), (schema.FieldConfig, "custom")):
        return None
    plugin = runtime.panelcfg_config(panel)
    assert plugin is not None, f"Grafana has no panel {panel!r}"
    hook = plugin.options_from_json_hook if name == "options" else plugin.field_config_from_json_hook
    return getattr(hook, "__self__", None)  # the class whose `from_json` it is


def _value(hint: Any, value: Any, path: str, panel: str) -> Iterator[str]:
    parts = typing.get_args(hint)
    if typing.get_origin(hint) is typing.Union:
        tried = [list(_value(part, value, path, panel)) for part in parts if value is None or part is not type(None)]
        yield from min(tried, key=len)
    elif typing.get_origin(hint) is typing.Literal:
        yield from () if value in parts else [f"{path}: {value!r} is none of {parts}"]
    elif typing.get_origin(hint) in (list, dict):
        whole = {list: list, dict: dict}[typing.get_origin(hint)]
        if not isinstance(value, whole):
            yield f"{path}: {value!r:.60} is no {whole.__name__}"
            return
        for place, one in enumerate(value) if whole is list else value.items():
            yield from _value(parts[-1], one, f"{path}[{place}]", panel)
    else:
        yield from _single(hint, value, path, panel)


def _single(kind: Any, value: Any, path: str, panel: str) -> Iterator[str]:
    if kind is variants.Dataquery:
        source = runtime.Runtime().dataquery_variants.get(value.get("datasource", {}).get("type"))
        if source is not None:
            yield from _object(type(source.from_json_hook(dict(value))), value, path, panel)
    elif kind in _PLAIN:
        if not isinstance(value, _PLAIN[kind]) or (isinstance(value, bool) and kind is not bool):
            yield f"{path}: {value!r:.60} is no {kind.__name__}"
    elif kind is type(None):
        yield from () if value is None else [f"{path}: {value!r:.60} is not null"]
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        values = [member.value for member in kind]
        yield from () if value in values else [f"{path}: {value!r} is none of {values}"]
    elif hasattr(kind, "to_json"):
        yield from _object(kind, value, path, panel)
