"""What can be set, told from the configuration types: names, values, defaults and the text under each setting.

The reference page and `memfleet init` are made of this, so neither can tell of a setting that does not exist.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from msgspec import inspect as shapes


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: `values` are what it takes, in words; `table` is its type if it is a table, `many`: of several."""

    name: str
    values: str
    default: Any
    required: bool
    text: str
    table: type[msgspec.Struct] | None
    many: bool


def settings_of(kind: type[msgspec.Struct]) -> list[Setting]:
    """The settings of a configuration type, in the order in which they are written down."""
    texts = dict(_texts(kind))
    shape = cast(shapes.StructType, shapes.type_info(kind))
    return [_setting(field, texts) for field in shape.fields]


def _setting(field: shapes.Field, texts: dict[str, str]) -> Setting:
    table, many = _table(field.type)
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    text = texts.get(field.name) or (table.__doc__ if table else "") or ""
    values = "" if table else _values(field.type)
    return Setting(field.name, values, default, field.required, " ".join(text.split()), table, many)


def _table(shape: shapes.Type) -> tuple[type[msgspec.Struct] | None, bool]:
    if isinstance(shape, shapes.StructType):
        return shape.cls, False
    if isinstance(shape, shapes.CollectionType) and isinstance(shape.item_type, shapes.StructType):
        return shape.item_type.cls, True
    return None, False


def _texts(kind: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Name and following string of each annotated line of a class, those of its bases first."""
    for base in reversed(kind.__mro__):
        if base in (object, msgspec.Struct) or not issubclass(base, msgspec.Struct):
            continue
        body = cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]).body
        for line, below in itertools.pairwise(body):
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                text = below.value if isinstance(below, ast.Expr) else None
                if isinstance(text, ast.Constant) and isinstance(text.value, str):
                    yield line.target.id, text.value


def _values(shape: shapes.Type) -> str:
    if isinstance(shape, shapes.Metadata):  # what it takes is said in words
        return str((shape.extra_json_schema or {}).get("description", "")) or _values(shape.type)
    if isinstance(shape, shapes.IntType | shapes.FloatType):
        return _number(shape)
    if isinstance(shape, shapes.StrType):
        return f"text matching `{shape.pattern}`" if shape.pattern else "text"
    if isinstance(shape, shapes.BoolType):
        return "true or false"
    if isinstance(shape, shapes.LiteralType):
        return " or ".join(f"`{json.dumps(value)}`" for value in shape.values)
    if isinstance(shape, shapes.CollectionType):
        return f"list of {_values(shape.item_type)}"
    if isinstance(shape, shapes.DictType):
        return f"table of {_values(shape.value_type)}"
    if isinstance(shape, shapes.UnionType):
        return " or ".join(_values(one) for one in shape.types if not isinstance(one, shapes.NoneType))
    raise NotImplementedError(f"no words yet for settings of {shape}")


def _number(shape: shapes.IntType | shapes.FloatType) -> str:
    word = "whole number" if isinstance(shape, shapes.IntType) else "number"
    bounds = (("from", shape.ge), ("above", shape.gt), ("to", shape.le), ("below", shape.lt))
    return " ".join([word, *(f"{side} {bound:,}" for side, bound in bounds if bound is not None)])
