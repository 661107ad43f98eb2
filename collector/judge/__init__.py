"""The judge: rules and detectors over the stream of readings, on ticks. Entry: `collector.judge.process.run`."""
