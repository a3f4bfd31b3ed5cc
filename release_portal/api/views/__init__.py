"""The addresses, one noun per file."""
