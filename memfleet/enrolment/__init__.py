"""Who may speak to the broker as whom: credentials, and the exact lines of the broker's files that go with them."""
