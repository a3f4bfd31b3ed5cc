"""Programmes: what a family gives access for at a stage, what it asks, whom it admits, and who reviews."""
