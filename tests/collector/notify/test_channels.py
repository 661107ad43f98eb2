"""What a channel says of a message that did not go through, and what it is called."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

from collector.config import Notify
from collector.notify.channels import Channel, make_channels
from tests.collector.notify.receiver import HANG, PATIENCE_S, RESET, receiving
from tests.servers import free_port


def channel_to(url: str) -> Channel:
    return make_channels(Notify(urls=(url,), private_networks=("127.0.0.0/8",)), "test")[1]


def why(url: str) -> str | None:
    return channel_to(url).send("title", "body", "warning")


@pytest.fixture
def apprise_log() -> Iterator[logging.Logger]:
    logger = logging.getLogger("apprise")
    handlers = list(logger.handlers)
    yield logger
    assert logger.handlers == handlers


@pytest.mark.usefixtures("apprise_log")
@pytest.mark.parametrize(
    ("answer", "reason"),
    [(500, "it answered 500"), (404, "it answered 404"), (RESET, "no answer: Connection reset by peer"), (200, None)],
)
def test_the_reason_is_what_the_receiver_did(answer: int, reason: str | None) -> None:
    with receiving(answer) as receiver:
        assert why(receiver.url) == reason


def test_who_hangs_and_who_is_not_there_are_told_apart() -> None:
    with receiving(HANG) as receiver:
        assert why(receiver.url.replace(f"rto={PATIENCE_S}", "rto=1")) == "no answer: timed out"
    assert why(f"json://127.0.0.1:{free_port()}") == "no answer: Connection refused"


def test_what_others_log_meanwhile_is_not_the_reason(apprise_log: logging.Logger) -> None:
    with receiving(HANG) as receiver:
        other = threading.Timer(0.3, lambda: apprise_log.warning("Failed to send, error=418."))
        other.start()
        assert why(receiver.url.replace(f"rto={PATIENCE_S}", "rto=1")) == "no answer: timed out"
        other.join()


def test_what_is_longer_than_the_service_takes_arrives_in_parts() -> None:
    lines = [f"device-{number}: used memory grows by 1.2 KiB/h" for number in range(900)]
    with receiving(200) as receiver:
        assert channel_to(receiver.url).send("900 incidents", "\n".join(lines), "critical") is None
        assert len(receiver.taken) == 2
        assert "\n".join(part["message"] for part in receiver.taken).splitlines() == lines


def test_a_name_has_the_port_and_no_secret() -> None:
    assert channel_to("json://me:secret@127.0.0.1:9000/token?x=1").name.startswith("json://127.0.0.1:9000#")
    assert channel_to("json://127.0.0.1").name.startswith("json://127.0.0.1#")
    assert channel_to("tgram://123456789:abcdefghijklmnopqrstuvwxyzabcdefghi/4711").name.startswith("tgram://...#")
