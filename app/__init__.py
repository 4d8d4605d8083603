"""EventOS analytics: the application behind the pages."""
