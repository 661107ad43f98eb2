"""Writers to long-term stores: InfluxDB 1, 2, 3 and VictoriaMetrics."""

from collector.stores.process import run

__all__ = ["run"]
