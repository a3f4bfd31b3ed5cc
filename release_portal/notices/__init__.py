"""In-app notices and mail: one outbox with retries and a visible failure state."""
