"""The owner's jobs over the whole company: what they find is stored as aggregates, for everybody alike."""
