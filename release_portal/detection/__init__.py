"""Detection: what speaks for a text having come from a served model, layer by layer, never a verdict."""
