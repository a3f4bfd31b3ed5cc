"""What holders owe for their grants: dated duties, handed in and looked at."""
