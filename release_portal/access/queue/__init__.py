"""The queue of applications: tiers kept for sorting, load, promises, search, batches, status and figures."""
