"""The pages: parse, call one service or lookup, render."""
