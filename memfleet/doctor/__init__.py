"""Is everything as a collector needs it, and what is to be done where it is not."""
