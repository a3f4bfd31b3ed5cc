"""Who else uses a grant: named team members, and the lab or class that a lead looks after."""
