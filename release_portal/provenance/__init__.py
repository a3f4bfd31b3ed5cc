"""Provenance: keyed fingerprints of served generations, and whether a text stands in them."""
