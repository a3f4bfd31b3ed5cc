"""Numbers that end permits: owned by the database, copied to Redis under a lease.

A permit names the epochs under which it was given. Raising an epoch ends every permit that names the old number.
"""
