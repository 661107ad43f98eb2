"""Conditions of rules, as text: a small part of Python's grammar, turned into NumPy over columns. Pure.

    condition = comparison | condition and condition | condition or condition | known(name) | unknown(name)
    comparison = sum < sum ...       < <= > >= == !=, also chained: 0 < free < 512
    sum = name | number | sum + - * / sum | -sum | min(sum, sum) | max(sum, sum)

A comparison with an unknown value is false, whichever way round it is written; that is why there is no `not`.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

from telemetry.settings import did_you_mean

Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Columns = Mapping[str, Numbers]
_Evaluate = Callable[[Columns], Any]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: lambda part, whole: np.where(whole == 0, np.nan, np.divide(part, whole)),
}
_COMPARISONS: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: np.less,
    ast.LtE: np.less_equal,
    ast.Gt: np.greater,
    ast.GtE: np.greater_equal,
    ast.Eq: np.equal,
    ast.NotEq: np.not_equal,
}
_FUNCTIONS: Mapping[str, Callable[[Any, Any], Any]] = {"min": np.minimum, "max": np.maximum}
_TESTS: Mapping[str, Callable[[Any], Any]] = {"known": np.isfinite, "unknown": np.isnan}
_LONGEST = 500
_SHOWN = 24


class ExpressionError(Exception):
    """The text is not a condition. `faults` say which parts of it, and what may stand there."""

    def __init__(self, faults: Sequence[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(self.faults))


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition over columns. `names` are the columns that it reads."""

    text: str
    names: tuple[str, ...]
    _evaluate: _Evaluate

    def __call__(self, columns: Columns) -> Truths:
        """One truth a row."""
        with np.errstate(all="ignore"):  # unknown is NaN here
            return np.asarray(self._evaluate(columns), dtype=np.bool_)


def compile_expression(text: str, names: Collection[str]) -> Expression:
    """The condition in `text` over columns of those names; ExpressionError tells all that is wrong with it."""
    if len(text) > _LONGEST:
        raise ExpressionError([f"has {len(text)} characters, at most {_LONGEST}"])
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError([f"cannot be read: {error.msg}{_place_of(error)}"]) from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError([f"cannot be read: {error}"]) from None
    compiler = _Compiler(names)
    evaluate = compiler.condition(tree)
    return Expression(text, compiler.used(), evaluate)


def _place_of(error: SyntaxError) -> str:
    """Where in the text the fault is: from there on."""
    rest = (error.text or "")[error.offset - 1 :].strip() if error.offset else ""
    return f", at `{rest if len(rest) <= _SHOWN else rest[: _SHOWN - 3] + '...'}`" if rest else ", at its end"


def sum_of(text: str, columns: Columns) -> Numbers:
    """What a sum of fields and numbers comes to, one value a row; ExpressionError where it is none."""
    compiler = _Compiler(columns)
    evaluate = compiler.sum(ast.parse(text, mode="eval").body)
    compiler.used()
    with np.errstate(all="ignore"):
        return np.asarray(evaluate(columns), dtype=np.float64)


def unknown_field(name: str, names: Collection[str]) -> str:
    """What to say of a field that there is not: the one that may be meant, or else all that there are."""
    return f"unknown field {name}" + (did_you_mean(name, names) or f": there are {', '.join(sorted(names))}")


class _Compiler:
    """One pass over the tree; notes the columns and the faults it meets."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = names
        self._used: dict[str, None] = {}
        self._faults: dict[str, None] = {}

    def used(self) -> tuple[str, ...]:
        """The columns that were met, each once; ExpressionError when there was a fault."""
        if self._faults:
            raise ExpressionError(tuple(self._faults))
        return tuple(self._used)

    def condition(self, node: ast.expr) -> _Evaluate:
        """How to find out whether a condition holds."""
        if isinstance(node, ast.BoolOp):
            parts = [self.condition(value) for value in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return lambda columns: reduce(join, [part(columns) for part in parts])
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TESTS:
            if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], ast.Name):
                return self._refuse(f"{node.func.id}() takes one field name")
            test, value = _TESTS[node.func.id], self.sum(node.args[0])
            return lambda columns: test(value(columns))
        return self._refuse(f"`{ast.unparse(node)}` is no condition: compare with < <= > >= == !=, join with and, or")

    def sum(self, node: ast.expr) -> _Evaluate:
        """How to evaluate a sum."""
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            if abs(node.value) > sys.float_info.max:
                return self._refuse("has a number that is larger than any value")
            number = float(node.value)
            return lambda columns: number
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            operand = self.sum(node.operand)
            return lambda columns: -operand(columns)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _apply(_ARITHMETIC[type(node.op)], self.sum(node.left), self.sum(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            if len(node.args) != 2 or node.keywords:
                return self._refuse(f"{node.func.id}() takes two values")
            return _apply(_FUNCTIONS[node.func.id], self.sum(node.args[0]), self.sum(node.args[1]))
        return self._refuse(f"`{ast.unparse(node)}` is no value: use fields, numbers, + - * /, min(a, b), max(a, b)")

    def _comparison(self, node: ast.Compare) -> _Evaluate:
        sides = [self.sum(side) for side in (node.left, *node.comparators)]
        if any(type(operator) not in _COMPARISONS for operator in node.ops):
            return self._refuse(f"`{ast.unparse(node)}`: compare with < <= > >= == !=")
        if not any(isinstance(part, ast.Name) and part.id not in _FUNCTIONS for part in ast.walk(node)):
            return self._refuse(f"`{ast.unparse(node)}` holds always or never: it compares no field")
        compares = [_COMPARISONS[type(operator)] for operator in node.ops]

        def evaluate(columns: Columns) -> Any:
            values = [side(columns) for side in sides]
            truth: Any = True
            for compare, left, right in zip(compares, values, values[1:], strict=False):
                truth = truth & compare(left, right)
                if compare is np.not_equal:  # the only one that is true of NaN
                    truth = truth & ~np.isnan(left) & ~np.isnan(right)
            return truth

        return evaluate

    def _column(self, name: str) -> _Evaluate:
        if name not in self._names:
            return self._refuse(unknown_field(name, self._names))
        self._used[name] = None
        return lambda columns: columns[name]

    def _refuse(self, fault: str) -> _Evaluate:
        """Note a fault, and go on to find the others; what is made of the text is not used."""
        self._faults[fault] = None
        return lambda columns: np.nan


def _apply(operation: Callable[[Any, Any], Any], left: _Evaluate, right: _Evaluate) -> _Evaluate:
    return lambda columns: operation(left(columns), right(columns))
