"""Rules: TOML in, frozen rules out; every fault of the file at once, each with its path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collector.judge.columns import FORECAST_COLUMNS, SHORT_TEXTS, SILENCE_COLUMNS, is_said, rule_columns, verdict_of
from collector.judge.expression import Expression, ExpressionError, compile_expression
from collector.judge.reasons import TemplateError, names_in
from telemetry.errors import ConfigError
from telemetry.readings import KINDS, About
from telemetry.settings import convert, parse, read

_UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_SPAN = re.compile(r"(\d+)(ms|s|m|h|d)")

BREACH, NO_DATA, ERROR = "breach", "no_data", "error"
"""The states of a rule: it holds, there is nothing to judge, what there is does not say what is asked."""

_NO_DATA = "Nothing was heard of {names} for a while, though the device speaks: the rule cannot be judged."
_ERROR = "The rule cannot be judged: the readings do not say {}."
_JUDGED_AGAIN = "The rule can be judged again, after {lasted:seconds}."

RuleName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Verdict = Literal["", "leak", "fragmentation", "step", "stack", "reboot"]
Span = Annotated[str, Meta(pattern=r"^\d{1,6}(ms|s|m|h|d)$")]


class RuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One `[[rule]]` as written."""

    name: RuleName
    """Names the rule in alerts; once in a file."""
    kind: str
    """The kind of reading that it judges."""
    severity: Literal["info", "warning", "critical"]
    """How much it matters."""
    reason: str
    """The sentence of the alert, with `{column:format}` for numbers and [brackets] around what may be unknown."""
    resolved: str = "Over after {lasted:seconds}."
    """The sentence when it is over; `lasted` is how long it was."""
    when: str = ""
    """The condition over the kind's columns. May be left out for events: every one counts."""
    clear: str = ""
    """When a firing alert may end; left out: as soon as `when` does not hold."""
    for_: Span = "0s"
    """How long the condition must hold before it fires (written `for`)."""
    keep_firing_for: Span = "1m"
    """How long the end of it must hold before it is resolved."""
    platform: str = "*"
    board: str = "*"
    firmware: str = "*"
    device: str = "*"
    names: str = "*"
    """Patterns (`*`, `?`, `[abc]`) of what the rule applies to; `names`: any of the series' own names."""
    not_names: str = ""
    """Pattern of names that the rule leaves alone."""
    labels: tuple[Annotated[str, Meta(pattern="^[^=]+=.*$")], ...] = ()
    """Labels that the device must carry, each as `name=pattern`."""
    verdict: Verdict = ""
    """What it tells where it does not follow from the columns that `when` reads: they are those of one detector."""
    no_data: Span = "0s"
    """How long the thing may say nothing, or nothing of what `when` asks, while its device is heard; then that is told,
    as `no_data` or `error`. 0s: it is not."""


class RulesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    rule: tuple[RuleSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked and compiled. Spans in ms; `numbers` are the columns an alert of it reports."""

    name: str
    kind: str
    severity: str
    reason: str
    resolved: str
    when: Expression | None
    clear: Expression | None
    for_ms: int
    keep_firing_ms: int
    numbers: tuple[str, ...]
    settings: RuleSettings
    state: str = BREACH

    @property
    def title(self) -> str:
        """What its alerts are kept under: each state of a rule has alerts of its own."""
        return self.name if self.state == BREACH else f"{self.name}:{self.state}"

    @property
    def verdict(self) -> str:
        """What a detector found, in a word; "" for a rule on what the device says itself."""
        asked = self.when.names if self.when is not None else ()
        found = [word for word in (verdict_of(self.kind, name) for name in asked) if word]
        return self.settings.verdict or (found[0] if found else "")

    @property
    def is_of_a_boot(self) -> bool:
        """Whether it tells what a detector finds in the course of a boot: a new boot shows it anew, or not at all."""
        return self.state == BREACH and self.verdict in ("leak", "fragmentation", "step", "stack")

    @property
    def is_on_silence(self) -> bool:
        """Whether it is about who was not heard: then the agent may be to blame, or we."""
        return self.when is not None and not set(self.when.names).isdisjoint(SILENCE_COLUMNS)

    @property
    def patience_ms(self) -> int:
        """How long the rule may go without anything to judge; 0: for ever."""
        return milliseconds(self.settings.no_data)

    def watchers(self) -> tuple[Rule, ...]:
        """Rules that tell when this one cannot be judged: the thing says nothing, or nothing of what is asked."""
        if not self.patience_ms or self.when is None:
            return ()
        watcher = replace(self, clear=None, keep_firing_ms=0, numbers=(), resolved=_JUDGED_AGAIN)
        missing = replace(watcher, state=NO_DATA, when=None, for_ms=0, reason=_NO_DATA)
        asked = [
            name for name in self.when.names if f"known({name})" not in self.when.text and is_said(self.kind, name)
        ]
        if not asked:
            return (missing,)
        unknown = compile_expression(" or ".join(f"unknown({name})" for name in asked), rule_columns(self.kind))
        text = _ERROR.format(" or ".join(asked))
        return missing, replace(watcher, state=ERROR, when=unknown, for_ms=self.patience_ms, reason=text)

    def selects(self, about: About, names: tuple[str, ...]) -> bool:
        """Whether the rule applies to this series of this device."""
        chosen, texts = self.settings, about.texts
        return (
            fnmatchcase(about.device, chosen.device)
            and fnmatchcase(texts.get("platform", "other"), chosen.platform)
            and fnmatchcase(texts.get("board", ""), chosen.board)
            and fnmatchcase(texts.get("firmware", ""), chosen.firmware)
            and (chosen.names == "*" or any(fnmatchcase(name, chosen.names) for name in names))
            and not (chosen.not_names and any(fnmatchcase(name, chosen.not_names) for name in names))
            and all(carries(texts, label) for label in chosen.labels)
        )


def carries(labels: Mapping[str, str], label: str) -> bool:
    """Whether labels hold the one that `name=pattern` asks for."""
    name, pattern = label.split("=", 1)
    return name in labels and fnmatchcase(labels[name], pattern)


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """The rules of that file, or the set that ships when None; ConfigError holds every fault."""
    source = str(path) if path else "default_rules.toml"
    if path is None:
        return parse_rules(resources.files(__package__).joinpath(source).read_text(), source)
    return _rules(read(path), source)


def parse_rules(text: str, source: str = "rules") -> tuple[Rule, ...]:
    """The rules written in `text`."""
    return _rules(parse(text.encode(), source), source)


def _rules(document: dict[str, Any], source: str) -> tuple[Rule, ...]:
    try:
        file = convert(RulesFile, _spell(document), source)
    except ConfigError as error:
        raise ConfigError(source, [fault.replace(".for_:", ".for:") for fault in error.faults]) from None
    faults: list[str] = []
    rules = [_compile(settings, f"rule[{index}]", faults) for index, settings in enumerate(file.rule)]
    seen: dict[str, int] = {}
    for index, rule in enumerate(file.rule):
        first = seen.setdefault(rule.name, index)
        if first != index:
            faults.append(f"rule[{index}].name: {rule.name} is also the name of rule[{first}]")
    if faults:
        raise ConfigError(source, faults)
    return tuple(rule for rule in rules if rule is not None)


def _spell(document: dict[str, Any]) -> dict[str, Any]:
    """`for` is a word of Python's own, so the struct calls it `for_`."""
    tables = document.get("rule")
    if not isinstance(tables, list):
        return document
    respelt = [
        {"for_" if key == "for" else key: value for key, value in table.items()} if isinstance(table, dict) else table
        for table in tables
    ]
    return document | {"rule": respelt}


def _compile(settings: RuleSettings, path: str, faults: list[str]) -> Rule | None:
    if settings.kind not in KINDS:
        faults.append(f"{path}.kind: {settings.kind!r} is none of {', '.join(KINDS)}")
        return None
    if not settings.when and settings.kind != "event":
        faults.append(f"{path}.when: missing (only a rule on events goes without)")
    when = _expression(settings.when, settings.kind, f"{path}.when", faults)
    clear = _expression(settings.clear, settings.kind, f"{path}.clear", faults)
    numbers = _template_numbers(settings.reason, settings.kind, f"{path}.reason", faults)
    _template_numbers(settings.resolved, settings.kind, f"{path}.resolved", faults)
    if when:
        numbers = tuple(dict.fromkeys((*when.names, *numbers)))
    return Rule(
        settings.name, settings.kind, settings.severity, settings.reason, settings.resolved, when, clear,
        milliseconds(settings.for_), milliseconds(settings.keep_firing_for), numbers, settings,
    )  # fmt: skip


def _expression(text: str, kind: str, path: str, faults: list[str]) -> Expression | None:
    if not text:
        return None
    try:
        return compile_expression(text, rule_columns(kind))
    except ExpressionError as error:
        faults.append(f"{path}: {error}")
        return None


def _template_numbers(template: str, kind: str, path: str, faults: list[str]) -> tuple[str, ...]:
    columns = rule_columns(kind)
    ends = FORECAST_COLUMNS if FORECAST_COLUMNS[0] in columns else ()
    others = {"names", "lasted", "suspect", *KINDS[kind].tags, *KINDS[kind].texts}
    others.update(("forecast",) if ends else (), SHORT_TEXTS if kind == "device" else ())
    try:
        names = names_in(template)
    except TemplateError as error:
        faults.append(f"{path}: {error}")
        return ()
    faults += [
        f"{path}: unknown field {name}: there are {', '.join(sorted((*columns, *others)))}"
        for name in names
        if name not in columns and name not in others
    ]
    return tuple(one for name in names for one in (ends if name == "forecast" else (name,)) if one in columns)


def milliseconds(span: str) -> int:
    """A span as rules write it (`90s`, `5m`, `2h`, `1d`), in ms."""
    match = _SPAN.fullmatch(span)
    if match is None:
        raise ValueError(span)
    units: Mapping[str, int] = _UNITS_MS
    return int(match[1]) * units[match[2]]
