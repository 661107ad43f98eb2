"""Maps: what devices already publish over MQTT, as readings.

    topic, payload -> Maps.apply -> reports -> Devices -> descriptions and readings -> outbox

A map is a TOML file (`mapfile`); those of known systems stand in `shipped`.
"""

from agent.maps.maps import Maps
from agent.maps.report import Measure, Report
from agent.maps.shipping import load_maps, shipped_names

__all__ = ["Maps", "Measure", "Report", "load_maps", "shipped_names"]
