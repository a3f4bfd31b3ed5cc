"""Replay lab: dated events of a real release, assessed by any policy of today."""
