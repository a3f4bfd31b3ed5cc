"""The record: a hash-chained, append-only log of every act. Actors are plain values, so history outlives people."""
