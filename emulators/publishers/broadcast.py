"""Many devices on one connection to a broker: what they say goes out while it stands, and is lost while it does not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from emulators.publishers import VOICES, Publication, Voice
from telemetry.clock import monotonic_ms
from telemetry.mqtt import Link, Message, Session
from telemetry.readings import About, Reading
from telemetry.settings import Broker


class Broadcast:
    """Devices by name, each with the name of its system. `sent` counts messages."""

    def __init__(self, systems: Mapping[str, str], broker: Broker, client: str) -> None:
        self._voices: dict[str, Voice] = {name: VOICES[system](name) for name, system in systems.items()}
        self._asked = {topic: voice for voice in self._voices.values() for topic in voice.questions}
        self.sent = 0
        # One subscription for all of them: brokers count and limit them.
        questions = ("+/rpc",) if self._asked else ()
        self.link = Link(broker, Session(client, questions), self, lambda: monotonic_ms() / 1000)

    def __len__(self) -> int:
        return len(self._voices)

    def connected(self) -> None:
        """Every device says hello."""
        for voice in self._voices.values():
            self._send(voice.connected())

    def received(self, message: Message) -> None:
        """Somebody asked a device."""
        self.link.acknowledge(message)
        voice = self._asked.get(message.topic)
        if voice is not None and not message.retained:
            self._send(voice.asked(message.topic, message.payload))

    def published(self, number: int, failure: str) -> None:
        """Nothing waits for it."""

    def take(self, items: Iterable[About | Reading]) -> list[About | Reading]:
        """Tell what is new of the devices that are here; what is left is of others."""
        others = []
        for item in items:
            voice = self._voices.get(item.device)
            if voice is None:
                others.append(item)
            else:
                self._send(voice.take(item))
        return others

    def _send(self, publications: Iterable[Publication]) -> None:
        for one in publications:
            if self.link.publish(one.topic, one.payload, one.qos, retain=one.retain) is not None:
                self.sent += 1
