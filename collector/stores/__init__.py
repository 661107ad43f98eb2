"""Writers to long-term stores: InfluxDB 1, 2, 3 and VictoriaMetrics. Entry: `collector.stores.process.run`."""
