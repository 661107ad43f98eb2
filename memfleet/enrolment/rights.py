"""Access lists of mosquitto: what each role may read and write, added to a file's text or taken out of it. Pure.

The grammar is that of mosquitto.conf(5), `acl_file`: a line `user NAME` opens a block, the `topic` lines up to the next
`user` line are its rights; `pattern` lines hold for everybody, wherever they stand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from telemetry.topics import ROOT, Topic


def agent_rights(fleet: str, agent: str) -> list[str]:
    """An agent writes its own frames and status and reads its own acks and commands, in its fleet and shard."""
    return [
        f"topic {access} {Topic.of(fleet, agent, channel)}"
        for access, channel in (("write", "frame"), ("write", "status"), ("read", "ack"), ("read", "command"))
    ]


def collector_rights(fleet: str, _name: str) -> list[str]:
    """A collector does the reverse for every agent of its fleet."""
    return [
        f"topic {access} {ROOT}/{fleet}/+/+/{channel}"
        for access, channel in (("read", "frame"), ("read", "status"), ("write", "ack"), ("write", "command"))
    ]


RIGHTS: Mapping[str, Callable[[str, str], list[str]]] = {"agent": agent_rights, "collector": collector_rights}
"""By role, given fleet and name."""


def has_user(text: str, user: str) -> bool:
    """Whether an access list has a block for that user."""
    return any(_user_of(line) == user for line in text.splitlines())


def with_user(text: str, user: str, rights: list[str]) -> str:
    """The access list with a block for that user at its end; everything else stays as it is."""
    lines = [*text.splitlines(), *([""] if text.strip() else []), f"user {user}", *rights]
    return "\n".join(lines) + "\n"


def without_user(text: str, user: str) -> str:
    """The access list without that user's blocks. Comments, patterns and the others' rights stay."""
    kept: list[str] = []
    inside = False
    for line in text.splitlines():
        name = _user_of(line)
        inside = name == user if name is not None else inside
        # A right left behind would fall to the user before it.
        if inside and (name is not None or line.split()[:1] == ["topic"]):
            continue
        kept.append(line)
    return "\n".join(kept) + "\n" if kept else ""


def _user_of(line: str) -> str | None:
    words = line.strip().split(maxsplit=1)
    return words[1] if len(words) == 2 and words[0] == "user" else None
