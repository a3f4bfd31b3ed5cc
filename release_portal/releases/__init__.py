"""Where each size stands on the ladder, and the moves between stages."""
