"""What is sent and what comes back, one noun per file. Names that end in Input are sent."""
