"""Intake: MQTT frames into the readings journal, acknowledged once they are on disk. Entry: `intake.process.run`."""
