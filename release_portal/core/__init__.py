"""What every room may use: clock, actors, decisions, errors, lifecycles."""
