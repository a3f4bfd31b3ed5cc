"""The engine: requests, scheduler, loop and stream; logic without torch."""
