"""The notifier: findings become messages, kept on disk until each channel has them. Entry: `notify.process.run`."""
