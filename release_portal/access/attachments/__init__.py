"""Files that applicants attach to their applications: what is taken, how it is kept, who may read it."""
