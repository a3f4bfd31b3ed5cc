"""The few use cases that touch releases, access and jobs together: preview a move, carry it out, restrict, recall."""
