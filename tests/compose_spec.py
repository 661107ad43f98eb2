"""What of the Compose Specification compose.yaml uses, each with its type: nothing else passes.

Names, types and choices are those of https://github.com/compose-spec/compose-spec, schema/compose-spec.json.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Name = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9._-]+$")]
Span = Annotated[str, Meta(pattern=r"^(\d+(us|ms|s|m|h))+$")]
Port = Annotated[str, Meta(pattern=r"^(\d+\.\d+\.\d+\.\d+:)?\d+:\d+$")]
Volume = Annotated[str, Meta(pattern=r"^(\./)?[\w.-]+(/[\w.-]+)*:(/[\w.-]+)+(:ro)?$")]


class _Closed(msgspec.Struct, forbid_unknown_fields=True):
    pass


class Build(_Closed):
    context: str
    dockerfile: str


class Depends(_Closed):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Healthcheck(_Closed):
    test: list[str]
    interval: Span
    retries: int


class UsedSecret(_Closed):
    source: Name
    uid: str
    gid: str
    mode: int


class Attached(_Closed):
    aliases: list[str]


class Service(_Closed):
    image: str
    build: Build | None = None
    restart: Annotated[str, Meta(pattern=r"^(no|always|unless-stopped|on-failure(:\d+)?)$")] = "no"
    user: str = ""
    cap_drop: list[str] = []
    security_opt: list[str] = []
    profiles: list[Name] = []
    environment: dict[str, str | int | float | bool | None] = {}
    entrypoint: list[str] = []
    command: list[str] = []
    ports: list[Port] = []
    volumes: list[Volume] = []
    networks: dict[Name, Attached] = {}
    depends_on: dict[Name, Depends] = {}
    healthcheck: Healthcheck | None = None
    secrets: list[UsedSecret] = []


class Secret(_Closed):
    environment: str


class Compose(_Closed):
    name: str
    services: dict[Name, Service]
    secrets: dict[Name, Secret]
    volumes: dict[Name, None]


def check(document: dict[str, Any]) -> Compose:
    """The document as the specification has it; msgspec.ValidationError names the place that is not."""
    return msgspec.convert({key: value for key, value in document.items() if not key.startswith("x-")}, Compose)
