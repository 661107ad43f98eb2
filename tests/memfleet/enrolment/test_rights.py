"""Lines of the broker's files: added and taken out without touching anybody else's."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memfleet.enrolment import passwords, rights
from telemetry.topics import shard_of

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,20}", fullmatch=True)
OTHERS = st.lists(
    st.one_of(
        NAMES.map(lambda name: f"user other-{name}"),
        st.sampled_from(["topic read news/#", "topic write x/y", "pattern read %u/in", "# a comment", ""]),
    ),
    max_size=12,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


def test_an_agents_rights_are_four_exact_topics() -> None:
    shard = shard_of("gw-1")
    assert rights.agent_rights("plant", "gw-1") == [
        f"topic write memfleet/1/plant/{shard}/gw-1/frame",
        f"topic write memfleet/1/plant/{shard}/gw-1/status",
        f"topic read memfleet/1/plant/{shard}/gw-1/ack",
        f"topic read memfleet/1/plant/{shard}/gw-1/command",
    ]


@given(text=OTHERS, name=NAMES)
def test_what_is_added_can_be_taken_out_and_nothing_else_changes(text: str, name: str) -> None:
    merged = rights.with_user(text, name, rights.agent_rights("plant", name))
    assert rights.has_user(merged, name)
    assert merged.startswith(text)
    assert not rights.has_user(rights.without_user(merged, name), name)
    assert rights.without_user(merged, name).rstrip("\n") == text.rstrip("\n")


def test_no_right_of_who_is_revoked_falls_to_the_user_before() -> None:
    before, after = "user a\ntopic read a\n", "user c\ntopic read c\n"
    own = "user b\n# b's own\ntopic write b\npattern read p/%u\ntopic read b2\n"
    assert rights.without_user(before + own + after, "b") == before + "# b's own\npattern read p/%u\n" + after


@given(lines=st.lists(NAMES.map(lambda name: f"other-{name}:$7$1$x$y")), name=NAMES)
def test_a_password_line_comes_and_goes(lines: list[str], name: str) -> None:
    text = "".join(f"{line}\n" for line in lines)
    merged = passwords.with_line(text, passwords.password_line(name, "secret", b"salt"))
    assert passwords.has_user(merged, name)
    assert "secret" not in merged
    assert passwords.without_user(merged, name) == text


def test_the_hash_is_the_one_that_mosquitto_passwd_makes(tmp_path: Path) -> None:
    """Its own tool hashes the password with a salt of its own; with the same salt we come to the same line."""
    file = tmp_path / "passwords"
    file.touch()
    try:
        subprocess.run(["mosquitto_passwd", "-b", file, "gw-1", "correct horse"], check=True)
    except FileNotFoundError:
        pytest.fail("mosquitto_passwd is not installed: apt install mosquitto")
    line = file.read_text().strip()
    _, _, rounds, salt, _ = line.split("$")
    assert rounds == "101"
    assert passwords.password_line("gw-1", "correct horse", base64.b64decode(salt)) == line
