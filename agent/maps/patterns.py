"""Topic patterns of maps.

plant/{device}/health    one level, by name          tele/{device*}/STATE    one to three levels, by name
plant/+/health           one level, without name     devices/{device}/#      whatever follows, also nothing
(empty)                  a payload that came without a topic, from a file or an HTTP answer
"""

from __future__ import annotations

import itertools
import re

MOST_LEVELS = 3
_NAMED = re.compile(r"\{(\w+)(\*?)\}")


def compiled(pattern: str) -> re.Pattern[str]:
    """What a topic must match as a whole. ValueError says what is wrong with the pattern."""
    if fault := _fault(pattern):
        raise ValueError(fault)
    return re.compile("".join(_parts(pattern)))


def _parts(pattern: str) -> list[str]:
    parts = []
    for number, level in enumerate(pattern.split("/")):
        before = "/" if number else ""
        if level == "#":
            parts.append(f"(?:{before}.*)?" if before else ".*")
        elif level == "+":
            parts.append(f"{before}[^/]*")
        else:
            parts.append(before + _level(level))
    return parts


def _level(level: str) -> str:
    found, end, text = "", 0, level
    for named in _NAMED.finditer(text):
        several = rf"(?:/[^/]+){{0,{MOST_LEVELS - 1}}}" if named[2] else ""
        found += re.escape(text[end : named.start()]) + f"(?P<{named[1]}>[^/]+{several})"
        end = named.end()
    return found + re.escape(text[end:])


def _fault(pattern: str) -> str:
    levels = pattern.split("/")
    names = [found[1] for found in _NAMED.finditer(pattern)]
    if "#" in pattern and (levels[-1] != "#" or pattern.count("#") > 1):
        return f"{pattern!r}: '#' can only be the last level"
    if any("+" in level and level != "+" for level in levels):
        return f"{pattern!r}: '+' stands for a whole level"
    if re.search(r"[{}]", _NAMED.sub("", pattern)):
        return f"{pattern!r}: a named level is {{name}} or {{name*}}, in letters, digits and '_'"
    if len(set(names)) < len(names):
        return f"{pattern!r}: a name stands in it twice"
    if any(_NAMED.search(level) and "*" in level and not _NAMED.fullmatch(level) for level in levels):
        return f"{pattern!r}: {{name*}} stands for whole levels"
    return ""


def filters(pattern: str) -> list[str]:
    """The MQTT subscriptions that bring what the pattern matches."""
    if not pattern:
        return []
    choices = []
    for level in pattern.split("/"):
        named = _NAMED.search(level)
        if named and named[2]:
            choices.append(["/".join("+" * count) for count in range(1, MOST_LEVELS + 1)])
        else:
            choices.append(["+" if named else level])
    return ["/".join(chosen) for chosen in itertools.product(*choices)]


def without_covered(subscriptions: list[str]) -> list[str]:
    """The subscriptions without those that another one covers: a broker may send a message once for each."""
    distinct = list(dict.fromkeys(subscriptions))
    return [one for one in distinct if not any(other != one and _covers(other, one) for other in distinct)]


def _covers(wide: str, narrow: str) -> bool:
    if wide[:1] in "+#" and narrow.startswith("$"):
        return False  # wildcards at the head never take in $SYS
    wide_levels, narrow_levels = wide.split("/"), narrow.split("/")
    for index, level in enumerate(wide_levels):
        if level == "#":
            return True
        if index >= len(narrow_levels) or narrow_levels[index] == "#":
            return False
        if level != "+" and level != narrow_levels[index]:
            return False
    return len(wide_levels) == len(narrow_levels)
