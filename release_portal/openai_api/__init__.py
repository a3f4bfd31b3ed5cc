"""The OpenAI-compatible interface under /v1: unmodified clients work."""
