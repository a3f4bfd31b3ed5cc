"""Generation as people ask for it: reading the form's words into settings, submitting, running again."""
