"""Batches: many requests in one file, worked off behind everything for which somebody waits."""
