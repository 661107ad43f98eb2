"""Rules: TOML in, frozen rules out; every fault of the file at once, each with its path."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from collector.judge import reasons
from collector.judge.columns import (
    EVENT_TEXTS,
    FORECAST_COLUMNS,
    SHORT_TEXTS,
    SILENCE_COLUMNS,
    SILENCE_TEXTS,
    form_of,
    is_said,
    rule_columns,
    verdict_of,
)
from collector.judge.expression import Expression, ExpressionError, compile_expression
from collector.judge.spans import Span, milliseconds
from collector.patterns import LabelPattern, Pattern, carries, platform_fault
from telemetry.errors import ConfigError
from telemetry.readings import KINDS, About
from telemetry.settings import did_you_mean, faults_in, in_order, named_twice, parse, read, tables_in

BREACH, NO_DATA, ERROR = "breach", "no_data", "error"
"""The states of a rule: it holds, there is nothing to judge, what there is does not say what is asked."""

_NO_DATA = "Nothing was heard of {names} for a while, though the device speaks: the rule cannot be judged."
_ERROR = "The rule cannot be judged: it asks for {}, and the readings do not say that."
_JUDGED_AGAIN = "The rule can be judged again, after {lasted:seconds}."

RuleName = Annotated[
    str,
    Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$", description="a name of small letters, digits and hyphens, at most 64"),
]
Sentence = Annotated[str, Meta(min_length=1, description="a sentence")]
Severity = Literal["info", "warning", "critical"]
State = Literal["breach", "no_data", "error"]
Verdict = Literal["", "leak", "fragmentation", "step", "stack", "reboot"]


class RuleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"for_": "for"}):
    """One `[[rule]]` as written."""

    name: RuleName
    """Names the rule in alerts; once in a file."""
    kind: str
    """The kind of reading that it judges."""
    severity: Severity
    """How much it matters."""
    reason: Sentence
    """The sentence of the alert, with `{column:format}` for numbers and [brackets] around what may be unknown, in which
    [one|or another] stands as is known."""
    resolved: Sentence = "Over after {lasted:seconds}."
    """The sentence when it is over; `lasted` is how long it was."""
    when: str = ""
    """The condition over the kind's columns. May be left out for events: every one counts."""
    clear: str = ""
    """When a firing alert may end; left out: as soon as `when` does not hold."""
    for_: Span = "0s"
    """How long the condition must hold before it fires; written `for`, which is a word of Python's own."""
    keep_firing_for: Span = "1m"
    """How long the end of it must hold before it is resolved."""
    platform: Pattern = "*"
    board: Pattern = "*"
    firmware: Pattern = "*"
    device: Pattern = "*"
    names: Pattern = "*"
    """Patterns (`*`, `?`, `[abc]`) of what the rule applies to; `names`: any of the series' own names."""
    not_names: Pattern = ""
    """Pattern of names that the rule leaves alone."""
    labels: tuple[LabelPattern, ...] = ()
    """Labels that the device must carry, each as `name=pattern`."""
    verdict: Verdict = ""
    """What it tells where it does not follow from the columns that `when` reads: they are those of one detector."""
    no_data: Span = "0s"
    """How long the thing may say nothing, or nothing of what `when` asks, while its device is heard; then that is told,
    as `no_data` or `error`. What was said counts for so long first. 0s: it is not told, and what was said counts on."""


class RulesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of rules."""

    rule: tuple[RuleSettings, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, checked and compiled. Spans in ms; `patience_ms` is how long it may go without anything to judge (0:
    for ever), `numbers` are the columns an alert of it reports, `unknown` holds where something that `when` asks is
    not known: None where that is not to be told."""

    name: str
    kind: str
    severity: str
    reason: str
    resolved: str
    when: Expression | None
    clear: Expression | None
    for_ms: int
    keep_firing_ms: int
    patience_ms: int
    numbers: tuple[str, ...]
    settings: RuleSettings
    unknown: Expression | None = None
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

    def watchers(self) -> tuple[Rule, ...]:
        """Rules that tell when this one cannot be judged: the thing says nothing, or nothing of what is asked."""
        if not self.patience_ms or self.when is None:
            return ()
        watcher = replace(self, clear=None, keep_firing_ms=0, numbers=(), resolved=_JUDGED_AGAIN)
        missing = replace(watcher, state=NO_DATA, when=None, for_ms=0, reason=_NO_DATA)
        if self.unknown is None:
            return (missing,)
        text = _ERROR.format(" and ".join(self.unknown.names))
        return missing, replace(watcher, state=ERROR, when=self.unknown, for_ms=self.patience_ms, reason=text)

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


def load_rules(path: Path | None) -> tuple[Rule, ...]:
    """The rules of that file, or the set that ships when None; ConfigError holds every fault."""
    return _default_rules() if path is None else _rules(read(path), str(path))


@functools.cache
def _default_rules() -> tuple[Rule, ...]:
    name = "default_rules.toml"
    return parse_rules(resources.files(__package__).joinpath(name).read_text(), name)


def parse_rules(text: str, source: str = "rules") -> tuple[Rule, ...]:
    """The rules written in `text`."""
    return _rules(parse(text.encode(), source), source)


def _rules(document: dict[str, Any], source: str) -> tuple[Rule, ...]:
    tables = list(tables_in(document, "rule"))
    faults = [*faults_in(RulesFile, document), *named_twice(tables)]
    if document.get("rule", []) == []:
        faults.append("there is no [[rule]] in it: nothing would be judged")
    faults += [fault for path, table in tables for fault in _faults(path, table)]
    if faults:
        raise ConfigError(source, in_order(faults))
    return tuple(_compile(settings) for settings in msgspec.convert(document, RulesFile).rule)


def _faults(path: str, table: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with the meaning of one `[[rule]]`. Its form may be wrong besides, so that only texts are read;
    where its kind is, any kind's columns may be meant."""
    texts = {key: text for key, text in table.items() if isinstance(text, str)}
    kind = texts.get("kind", "")
    if kind and kind not in KINDS:
        yield f"{path}.kind: {kind!r} is none of {', '.join(KINDS)}{did_you_mean(kind, KINDS)}"
    if kind in KINDS and not rule_columns(kind):
        yield f"{path}.kind: {kind} has no numbers to judge (a pattern file makes events of lines that matter)"
        return
    if kind in KINDS and kind != "event" and not table.get("when"):
        yield f"{path}.when: missing (only a rule on events goes without)"
    if platform := platform_fault(texts.get("platform", "*")):
        yield f"{path}.platform: {platform}"
    kinds = (kind,) if kind in KINDS else tuple(KINDS)
    columns = {name for one in kinds for name in rule_columns(one)}
    words = {name: form for one in kinds for name, form in _words_of(one).items()}
    for key in ("when", "clear"):
        yield from (f"{path}.{key}: {fault}" for fault in _expression_faults(texts.get(key, ""), columns))
    for key in ("reason", "resolved"):
        yield from (f"{path}.{key}: {fault}" for fault in reasons.template_faults(texts.get(key, ""), words))


def _expression_faults(text: str, columns: Collection[str]) -> tuple[str, ...]:
    try:
        _expression(text, columns)
    except ExpressionError as error:
        return error.faults
    return ()


def _expression(text: str, columns: Collection[str]) -> Expression | None:
    return compile_expression(text, columns) if text else None


def _words_of(kind: str) -> dict[str, str]:
    """What a sentence of a rule on the kind may name: texts, and columns, each with the format of its unit."""
    forecast = ("forecast",) if FORECAST_COLUMNS[0] in rule_columns(kind) else ()
    more = {"device": (*SHORT_TEXTS, *SILENCE_TEXTS), "event": EVENT_TEXTS}.get(kind, ())
    texts = ("names", "suspect", *KINDS[kind].tags, *KINDS[kind].texts, *forecast, *more)
    return {**dict.fromkeys(texts, ""), "lasted": "seconds", **{name: form_of(name) for name in rule_columns(kind)}}


def _compile(settings: RuleSettings) -> Rule:
    """A rule without faults."""
    columns = rule_columns(settings.kind)
    when, clear = _expression(settings.when, columns), _expression(settings.clear, columns)
    named = [*(when.names if when else ()), *reasons.names_in(settings.reason)]
    told = [one for name in named for one in (FORECAST_COLUMNS if name == "forecast" else (name,))]
    numbers = tuple(name for name in dict.fromkeys(told) if name in columns)
    patience_ms = milliseconds(settings.no_data)
    unknown = _unknown(when, settings.kind) if when and patience_ms else None
    return Rule(
        settings.name, settings.kind, settings.severity, settings.reason, settings.resolved, when, clear,
        milliseconds(settings.for_), milliseconds(settings.keep_firing_for), patience_ms, numbers, settings,
        unknown,
    )  # fmt: skip


def _unknown(when: Expression, kind: str) -> Expression | None:
    """That something is not known which a condition asks of the device, without asking whether it is known."""
    asked = [name for name in when.names if f"known({name})" not in when.text and is_said(kind, name)]
    return _expression(" or ".join(f"unknown({name})" for name in asked), rule_columns(kind))
