"""Forms show what was typed; services say what is wrong with it."""
