"""Log prefixes: what is a tag, and what is the text already."""

from __future__ import annotations

import pytest

from agent.consoles.line import read_line


@pytest.mark.parametrize(
    ("text", "module", "body"),
    [
        ("E (5) tag: a: b", "tag", "a: b"),
        ("E (5) my tag: x", "my tag", "x"),
        ("I (5) net:", "net", ""),
        ("W (5) wifi:pm stop", "wifi", "pm stop"),
        ("E (5) http://10.0.0.1/api returned 500", "", "http://10.0.0.1/api returned 500"),
        ("E (5) 12:30:05 sensor late", "", "12:30:05 sensor late"),
        ("E (5) 10.0.0.1:80 refused", "", "10.0.0.1:80 refused"),
        ("E (5) ns::fn failed", "", "ns::fn failed"),
        ("E (5) at 10:30 it died", "", "at 10:30 it died"),
        ("E (5) failed", "", "failed"),
    ],
)
def test_a_line_of_esp_idf_is_told_whole(text: str, module: str, body: str) -> None:
    line = read_line(1, text)
    assert (line.system, line.level, line.module, line.body, line.uptime_ms) == ("esp32", text[0], module, body, 5)


def test_a_word_in_brackets_is_no_time() -> None:
    line = read_line(1, "I (really) mean it")
    assert (line.level, line.body) == ("", "I (really) mean it")
