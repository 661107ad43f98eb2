"""Why an alert is raised by a rule, or is not: each comparison of its condition with both sides as numbers. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import numpy as np

from collector.judge.alerts import FIRING, IDLE, PENDING, Alerts
from collector.judge.columns import form_of
from collector.judge.detectors.conditions import Asked, all_of, one_of
from collector.judge.explaining import Condition, Explanation, conditions_of
from collector.judge.expression import Columns, Truths, compile_expression, sum_of
from collector.judge.series import Table

_RELATIONS: Mapping[type[ast.cmpop], str] = {
    ast.Lt: "less than",
    ast.LtE: "at most",
    ast.Gt: "more than",
    ast.GtE: "at least",
    ast.Eq: "equal to",
    ast.NotEq: "other than",
}
_STATES = {IDLE: "", PENDING: "pending", FIRING: "firing"}


def explain_rule(alerts: Alerts, table: Table, row: int, now_ms: int) -> Explanation:
    """Explain what a rule makes of one row as it is now."""
    rule = alerts.rule
    columns = table.fresh_view(np.array([row]), now_ms, rule.patience_ms)
    asked = _asked(ast.parse(" ".join(rule.when.text.split()), mode="eval").body, columns) if rule.when else []
    conditions = conditions_of(asked)
    status = int(alerts.status[row])
    if rule.kind == "event":
        conditions += (_plain("it happened of late", held=status != IDLE),)
    elif table.outdated[row]:
        conditions += (_plain("heard since the device restarted", held=False),)
    return Explanation(f"rule {rule.name}", conditions, state=_STATES[status])


def _plain(what: str, *, held: bool) -> Condition:
    """A condition without numbers."""
    return Condition(what, held, None, "", None, "number")


def _asked(node: ast.expr, columns: Columns) -> list[Asked]:
    """The comparisons of a condition; those that are joined with `and` stand side by side."""
    if isinstance(node, ast.BoolOp):
        parts = [_asked(value, columns) for value in node.values]
        if isinstance(node.op, ast.And):
            return [one for part in parts for one in part]
        groups = zip(node.values, parts, strict=True)
        return [one_of("", [part[0] if len(part) == 1 else all_of(ast.unparse(one), part) for one, part in groups])]
    if not isinstance(node, ast.Compare):
        nothing = np.full(1, np.nan)
        return [Asked(ast.unparse(node), "number", nothing, "", nothing, _holds(node, columns))]
    sides = [node.left, *node.comparators]
    return [_compared(*pair, columns) for pair in zip(sides, node.ops, node.comparators, strict=False)]


def _compared(left: ast.expr, relation: ast.cmpop, right: ast.expr, columns: Columns) -> Asked:
    names = [one.id for one in ast.walk(left) if isinstance(one, ast.Name)]
    form = form_of(names[0]) if names else "number"
    measured, wanted = (np.atleast_1d(sum_of(ast.unparse(side), columns)) for side in (left, right))
    held = _holds(ast.Compare(left, [relation], [right]), columns)
    return Asked(ast.unparse(left), form, measured, _RELATIONS[type(relation)], wanted, held)


def _holds(node: ast.expr, columns: Columns) -> Truths:
    return compile_expression(ast.unparse(node), tuple(columns))(columns)
