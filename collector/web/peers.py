"""The other collectors of a fleet that runs in shards, asked through their API: what the page shows of them besides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from collector.config import CollectorConfig
from collector.web.access import read_token
from collector.web.answers import Answer, Incidents
from telemetry.clock import monotonic_ms
from telemetry.errors import ConfigError, EnvironmentFault

if TYPE_CHECKING:
    import httpx

_LOOK_S, _DEED_S = 3.0, 30.0
"""How long to wait for an answer: a look is repeated, a deed is done once, by a person who waits for it."""
_FRESH_MS, _KEPT_MS = 5_000, 60_000
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Told:
    """What a peer answered; or why there is no answer, in one sentence, beside what it last said a moment ago."""

    peer: str
    incidents: tuple[Mapping[str, Any], ...] = ()
    fault: str = ""


class Peers:
    """The peers of the configuration. ConfigError when a token cannot be read."""

    def __init__(self, config: CollectorConfig) -> None:
        faults: list[str] = []
        self._headers = {}
        for number, peer in enumerate(config.page.peers):
            token = read_token(f"page.peers[{number}].token_file", peer.token_file, faults)
            self._headers[peer.url.rstrip("/")] = {"Authorization": f"Bearer {token}"} if token else {}
        if faults:
            raise ConfigError("settings", faults)
        self._http: httpx.AsyncClient | None = None
        self._lock = asyncio.Lock()
        self._known: dict[bool, tuple[int, list[Told]]] = {}
        self._answers: dict[tuple[str, bool], tuple[int, Told]] = {}

    async def incidents(self, *, active: bool) -> list[Told]:
        """What every peer says of its incidents, some seconds old at most. Of one that is slow to answer, what it said
        in the last minute: incidents do not come and go with the load of a machine."""
        async with self._lock:
            at_ms, told = self._known.get(active, (0, []))
            if not told or monotonic_ms() - at_ms > _FRESH_MS:
                told = list(await asyncio.gather(*(self._incidents(peer, active) for peer in self._headers)))
                self._known[active] = monotonic_ms(), told
            return told

    async def get(self, peer: str, path: str, form: type[Answer], **query: Any) -> Any:
        """A peer's answer of GET /api/v1/PATH; EnvironmentFault when there is none of that form."""
        told = await self._call(peer, "GET", path, params=query)
        try:
            form.model_validate(told, extra="ignore")  # a later version may say more
        except ValidationError as error:
            (first, *_) = error.errors()
            place = ".".join(str(part) for part in ("answer", *first["loc"]))
            raise EnvironmentFault(f"peer {peer} answers something else: {place}: {first['msg']}", retry=True) from None
        return told

    async def post(self, peer: str, path: str, body: Mapping[str, Any]) -> None:
        """POST to a peer; EnvironmentFault when it does not take it."""
        await self._call(peer, "POST", path, json=body, timeout=_DEED_S)
        self._known.clear()

    async def close(self) -> None:
        """Let go of the connections."""
        if self._http is not None:
            await self._http.aclose()

    async def _incidents(self, peer: str, active: bool) -> Told:
        try:
            answer = await self.get(peer, "incidents", Incidents, active=active, limit=_MOST)
        except EnvironmentFault as fault:
            at_ms, last = self._answers.get((peer, active), (0, Told(peer)))
            is_recent = monotonic_ms() - at_ms <= _KEPT_MS
            return replace(last if is_recent else Told(peer), fault=str(fault))
        told = Told(peer, tuple(answer["incidents"]))
        self._answers[peer, active] = monotonic_ms(), told
        return told

    async def _call(self, peer: str, method: str, path: str, **arguments: Any) -> Any:
        import httpx  # takes a fifth of a second to load, and most collectors have no peer

        if self._http is None:
            self._http = httpx.AsyncClient(timeout=_LOOK_S)
        try:
            answer = await self._http.request(method, f"{peer}/api/v1/{path}", headers=self._headers[peer], **arguments)
            told = answer.json()
        except (httpx.HTTPError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise EnvironmentFault(f"peer {peer} does not answer: {why}", retry=True) from None
        if not answer.is_success:
            said = told.get("error") if isinstance(told, dict) else None
            raise EnvironmentFault(f"peer {peer}: {said or f'status {answer.status_code}'}", retry=True)
        return told
