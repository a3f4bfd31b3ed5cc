"""Evidence: append-only statements that bear on a size's criteria, their reviews, and the safety checklist."""
