"""Measure serving beside its peers: same model, same prompts, same number of new tokens, in turn in one run."""
