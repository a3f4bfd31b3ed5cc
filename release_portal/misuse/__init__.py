"""Reports of misuse: filed by anyone, triaged by staff, followed by code, leading to action."""
