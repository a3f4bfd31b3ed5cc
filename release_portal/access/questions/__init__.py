"""Sending an application back: questions at fields, answers, and what was changed."""
