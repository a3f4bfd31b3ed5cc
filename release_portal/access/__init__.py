"""Who may do what with a size now: the policy, the lookups, grants and quotas."""
