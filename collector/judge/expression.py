"""Conditions of rules, as text: a small part of Python's grammar, turned into NumPy over columns. Pure.

    condition = comparison | condition and condition | condition or condition | known(name) | unknown(name)
    comparison = sum < sum ...       < <= > >= == !=, also chained: 0 < free < 512
    sum = name | number | sum + - * / sum | -sum | min(sum, sum) | max(sum, sum)

A comparison with an unknown value is false, whichever way round it is written; that is why there is no `not`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]
Columns = Mapping[str, Numbers]
_Evaluate = Callable[[Columns], Any]

_ARITHMETIC: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
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


class ExpressionError(Exception):
    """The text is not a condition; the message says which part and what may stand there."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A condition over columns. `names` are the columns that it reads."""

    text: str
    names: tuple[str, ...]
    _evaluate: _Evaluate

    def __call__(self, columns: Columns, rows: int) -> Truths:
        """One truth a row, for columns of that many rows."""
        with np.errstate(all="ignore"):  # unknown is NaN here, and x / 0 compares as it should
            truths = np.asarray(self._evaluate(columns), dtype=np.bool_)
        return truths if truths.ndim else np.full(rows, truths)  # a condition on numbers alone has one truth for all


def compile_expression(text: str, names: Collection[str]) -> Expression:
    """The condition in `text` over columns of those names; ExpressionError tells what is wrong with it."""
    if len(text) > _LONGEST:
        raise ExpressionError(f"has {len(text)} characters, at most {_LONGEST}")
    try:
        tree = ast.parse(" ".join(text.split()), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExpressionError(f"cannot be read: {error}") from None
    return _Compiler(text, frozenset(names)).compile(tree)


def sum_of(text: str, columns: Columns) -> Numbers:
    """What a sum of fields and numbers comes to, one value a row; ExpressionError where it is none."""
    tree = ast.parse(text, mode="eval").body
    with np.errstate(all="ignore"):
        return np.asarray(_Compiler(text, frozenset(columns)).sum(tree)(columns), dtype=np.float64)


class _Compiler:
    """One pass over the tree; notes the columns it meets."""

    def __init__(self, text: str, names: frozenset[str]) -> None:
        self._text = text
        self._names = names
        self._used: dict[str, None] = {}

    def compile(self, tree: ast.expr) -> Expression:
        evaluate = self._condition(tree)
        return Expression(self._text, tuple(self._used), evaluate)

    def sum(self, tree: ast.expr) -> _Evaluate:
        """How to evaluate a sum."""
        return self._sum(tree)

    def _condition(self, node: ast.expr) -> _Evaluate:
        if isinstance(node, ast.BoolOp):
            parts = [self._condition(value) for value in node.values]
            join = np.logical_and if isinstance(node.op, ast.And) else np.logical_or
            return lambda columns: reduce(join, [part(columns) for part in parts])
        if isinstance(node, ast.Compare):
            return self._comparison(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _TESTS:
            if len(node.args) != 1 or node.keywords or not isinstance(node.args[0], ast.Name):
                raise ExpressionError(f"{node.func.id}() takes one field name")
            test, value = _TESTS[node.func.id], self._sum(node.args[0])
            return lambda columns: test(value(columns))
        raise ExpressionError(f"`{ast.unparse(node)}` is no condition: compare with < <= > >= == !=, join with and, or")

    def _comparison(self, node: ast.Compare) -> _Evaluate:
        sides = [self._sum(side) for side in (node.left, *node.comparators)]
        compares = []
        for operator in node.ops:
            if type(operator) not in _COMPARISONS:
                raise ExpressionError(f"`{ast.unparse(node)}`: compare with < <= > >= == !=")
            compares.append(_COMPARISONS[type(operator)])

        def evaluate(columns: Columns) -> Any:
            values = [side(columns) for side in sides]
            truth: Any = True
            for compare, left, right in zip(compares, values, values[1:], strict=False):
                truth = truth & compare(left, right)
                if compare is np.not_equal:  # the only one that is true of NaN
                    truth = truth & ~np.isnan(left) & ~np.isnan(right)
            return truth

        return evaluate

    def _sum(self, node: ast.expr) -> _Evaluate:
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            number = float(node.value)
            return lambda columns: number
        if isinstance(node, ast.Name):
            return self._column(node.id)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            operand = self._sum(node.operand)
            return lambda columns: -operand(columns)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _apply(_ARITHMETIC[type(node.op)], self._sum(node.left), self._sum(node.right))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS:
            if len(node.args) != 2 or node.keywords:
                raise ExpressionError(f"{node.func.id}() takes two values")
            return _apply(_FUNCTIONS[node.func.id], self._sum(node.args[0]), self._sum(node.args[1]))
        raise ExpressionError(f"`{ast.unparse(node)}` is no value: use fields, numbers, + - * /, min(a, b), max(a, b)")

    def _column(self, name: str) -> _Evaluate:
        if name not in self._names:
            raise ExpressionError(f"unknown field {name}: there are {', '.join(sorted(self._names))}")
        self._used[name] = None
        return lambda columns: columns[name]


def _apply(operation: Callable[[Any, Any], Any], left: _Evaluate, right: _Evaluate) -> _Evaluate:
    return lambda columns: operation(left(columns), right(columns))
