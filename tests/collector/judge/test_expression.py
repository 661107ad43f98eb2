"""Conditions as text: what they mean, what is unknown, what is refused."""

from __future__ import annotations

import ast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collector.judge.expression import ExpressionError, compile_expression

NAMES = ("free", "size", "used")
NAN = float("nan")
COLUMNS = {
    "free": np.array([100.0, 900.0, NAN]),
    "size": np.array([1000.0, 1000.0, 1000.0]),
    "used": np.array([900.0, NAN, 500.0]),
}


@pytest.mark.parametrize(
    ("text", "truths"),
    [
        ("free < 200", [True, False, False]),
        ("free != 100", [False, True, False]),
        ("free >= 0 or used > 0", [True, True, True]),
        ("free < 0.5 * size and used > size / 2", [True, False, False]),
        ("50 < free < 200", [True, False, False]),
        ("min(free, 500) == 500", [False, True, False]),
        ("max(free, -1) > -(free) ", [True, True, False]),
        ("known(free) and unknown(used)", [False, True, False]),
        ("free / 0 > 5", [False, False, False]),
        ("  free < \n 200", [True, False, False]),
    ],
)
def test_meaning(text: str, truths: list[bool]) -> None:
    assert compile_expression(text, NAMES)(COLUMNS).tolist() == truths


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("fre < 1", "unknown field fre (did you mean free?)"),
        ("heap < 1", "unknown field heap: there are free, size, used"),
        ("free", "`free` is no condition"),
        ("not free < 1", "is no condition"),
        ("free < 'a'", "`'a'` is no value"),
        ("free < True", "`True` is no value"),
        ("free in size", "compare with"),
        ("known(1) ", "known() takes one field name"),
        ("min(free) < 1", "min() takes two values"),
        ("free < __import__('os').system('true')", "is no value"),
        ("(lambda: 1)() < free", "is no value"),
        ("free ** 99 < 1", "is no value"),
        ("free <", "cannot be read: invalid syntax, at its end"),
        ("free < 10 && used > 5", "cannot be read: invalid syntax, at `& used > 5`"),
        ("free < 100 KiB", "cannot be read: invalid syntax, at `KiB`"),
        ("1 < 2", "`1 < 2` holds always or never: it compares no field"),
        ("free < 1 or max(3, 4) > 2 * 1", "`max(3, 4) > 2 * 1` holds always or never"),
        ("free < " + "(" * 300 + "1", "cannot be read"),
        ("free < " + "9" * 400, "larger than any value"),
        ("free < 1" + " " * 600, "has 608 characters, at most 500"),
    ],
)
def test_refused_with_a_reason(text: str, part: str) -> None:
    with pytest.raises(ExpressionError, match=None) as raised:
        compile_expression(text, NAMES)
    assert part in str(raised.value)


def test_every_fault_of_a_condition_is_told_once_and_in_its_order() -> None:
    with pytest.raises(ExpressionError) as raised:
        compile_expression("fre < '5' or not free or min(free) > usd and fre > 1", NAMES)
    assert [fault.partition(":")[0] for fault in raised.value.faults] == [
        "unknown field fre (did you mean free?)", "`'5'` is no value", "`not free` is no condition",
        "min() takes two values", "unknown field usd (did you mean used?)",
    ]  # fmt: skip


def test_names_are_those_that_are_read() -> None:
    assert compile_expression("free < 0.1 * size or free < 5", NAMES).names == ("free", "size")


@given(st.text(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_compiles_or_is_refused(text: str) -> None:
    try:
        expression = compile_expression(text, NAMES)
    except ExpressionError:
        return
    assert expression(COLUMNS).shape == (3,)


_values = st.one_of(st.sampled_from(NAMES), st.integers(0, 2000).map(str))
_sums = st.recursive(_values, lambda inner: st.tuples(inner, st.sampled_from("+-*"), inner).map(" ".join).map("({})".format), max_leaves=5)  # fmt: skip # noqa: E501


@given(_sums, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), _sums)
@settings(max_examples=150, deadline=None)
def test_it_agrees_with_python_where_all_is_known(left: str, operator: str, right: str) -> None:
    text = f"{left} {operator} {right}"
    if len(text) > 500 or not any(name in text for name in NAMES):
        return
    row = {name: float(column[0]) for name, column in COLUMNS.items()}
    expected = eval(compile(ast.parse(text, mode="eval"), "", "eval"), {}, row)
    assert compile_expression(text, NAMES)(COLUMNS)[0] == expected
