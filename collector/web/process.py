"""The page process: API, page, /metrics and health on one port."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import uvicorn
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from collector.config import CollectorConfig, Page
from collector.consumer import Stop
from collector.series import reader
from collector.trimming import readers_of
from collector.web import metrics, page
from collector.web.access import Guard, load_access
from collector.web.api import build_api
from collector.web.desk import DeskBook
from collector.web.files import PORT_FILE, ReadOnlyFile
from collector.web.fleet import Fleet, FleetView
from collector.web.peers import Peers
from collector.web.services import Services
from collector.web.status import Health
from telemetry.clock import wall_ms
from telemetry.errors import EnvironmentFault, UsageError
from telemetry.files import write_whole


def run(config: CollectorConfig, directory: Path, stop: Stop, now_ms: Callable[[], int] = wall_ms) -> None:
    """Serve until stopped. The port in use is written to DIR/page.port (`page.port = 0` takes any free one).

    ConfigError: no token where one is wanted. EnvironmentFault: the port is taken, or that file is taken away.
    """
    access = load_access(config.page)
    with listening(config.page) as listener, _services(config, directory, now_ms) as services:
        app = build_app(services)
        app.add_middleware(Guard, access=access)
        port_file = directory / PORT_FILE
        write_whole(port_file, f"{listener.getsockname()[1]}\n".encode())
        try:
            asyncio.run(_serve(app, services, listener, lambda: stop.is_set() or not port_file.exists()))
            if not stop.is_set():
                raise EnvironmentFault(f"{port_file} was removed while it was in use", retry=True)
        finally:
            port_file.unlink(missing_ok=True)


def build_app(services: Services) -> FastAPI:
    """The application without its guard."""
    # No docs_url: those pages load their scripts from the Internet.
    app = FastAPI(title="memfleet", openapi_url="/api/v1/openapi.json", docs_url=None, redoc_url=None)
    app.include_router(build_api(services))
    _add_health(app, services)
    _add_faults(app)
    page.install(app, services)
    return app


def _add_health(app: FastAPI, services: Services) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def healthz() -> Response:
        """The loop is alive."""
        return Response("ok\n", media_type="text/plain")

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        """The whole collector does its work; 503 and the reasons when it does not."""
        _, reasons = await services.health.look()
        text = "\n".join(reasons or ["ready"]) + "\n"
        return Response(text, 503 if reasons else 200, media_type="text/plain")

    @app.get("/metrics", include_in_schema=False)
    async def scrape() -> Response:
        """Counters, lags and depths for Prometheus."""
        fleet = Fleet()
        with contextlib.suppress(EnvironmentFault):
            fleet = await services.fleet.look()
        found, _ = await services.health.look()
        text = metrics.render(found, fleet.counts(), fleet.open_alerts())
        return Response(text, media_type=metrics.CONTENT_TYPE)


def _add_faults(app: FastAPI) -> None:
    @app.exception_handler(UsageError)
    async def usage(_: Request, error: UsageError) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    @app.exception_handler(EnvironmentFault)
    async def fault(_: Request, error: EnvironmentFault) -> Response:
        return JSONResponse({"error": str(error)}, 503, {"Retry-After": "1"} if error.retry else None)

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        faults = [f"{_place(each['loc'])}: {each['msg']}" for each in error.errors()]
        return JSONResponse({"error": "; ".join(faults)}, 400)

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _place(found: Sequence[str | int]) -> str:
    """Where a fault is: of a parameter that stands there more than once, its name."""
    kind, *parts = found
    return ".".join(str(part) for part in (parts[:1] if kind == "query" else parts))


@contextlib.contextmanager
def listening(settings: Page) -> Iterator[socket.socket]:
    """A bound socket; EnvironmentFault in one line when the address cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    with contextlib.closing(listener):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(128)
        except OSError as error:
            raise EnvironmentFault(
                f"the page cannot listen on {settings.host} port {settings.port}: {error.strerror}; "
                "stop the other program or set page.port (0 takes any free one)",
                retry=True,
            ) from None
        yield listener


@contextlib.contextmanager
def _services(config: CollectorConfig, directory: Path, now_ms: Callable[[], int]) -> Iterator[Services]:
    peers = Peers(config)
    desk = DeskBook(directory / "desk.journal", now_ms, readers_of("desk", config, directory))
    series = ReadOnlyFile(directory / "series.db", reader.open_reader)
    slow_series = ReadOnlyFile(directory / "series.db", reader.open_reader)
    quarantine = ReadOnlyFile(directory / "readings.journal")
    fleet = FleetView(series, config.silent_after_s * 1000, now_ms)
    health = Health(directory, [store.name for store in config.stores], now_ms, tells=config.notify.tells)
    try:
        yield Services(config, directory, series, slow_series, quarantine, fleet, health, desk, peers, now_ms)
    finally:
        series.close()
        slow_series.close()
        quarantine.close()
        desk.close()


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals belong to whoever started us; we end when told by `stop`."""
        yield


async def _serve(app: FastAPI, services: Services, listener: socket.socket, is_over: Callable[[], bool]) -> None:
    server = _Server(
        uvicorn.Config(
            app,
            log_config=None,  # ours
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
            lifespan="on",
        )
    )
    watcher = asyncio.create_task(_watch(server, is_over))
    try:
        await server.serve(sockets=[listener])
    finally:
        watcher.cancel()
        await services.peers.close()


async def _watch(server: uvicorn.Server, is_over: Callable[[], bool]) -> None:
    while not is_over():
        await asyncio.sleep(0.1)
    server.should_exit = True
