"""Model cards: their text, versions and digests."""
