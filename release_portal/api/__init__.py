"""The JSON interface under /api/: catalogue, applications, grants, jobs, cards, reports, detection."""
