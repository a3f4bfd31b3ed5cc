"""What turns tokens into tokens: torch and transformers live here."""
