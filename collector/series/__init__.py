"""The embedded series: what page, API and command line read. Entry: `collector.series.process.run`."""
