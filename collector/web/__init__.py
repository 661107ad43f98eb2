"""What people and programs see: HTTP API, page, metrics and health. Entry: `collector.web.process.run`."""
