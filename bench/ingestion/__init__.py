"""The pieces of the ingest benchmark: the load, the collector's parts in processes of their own, an earlier tree."""
