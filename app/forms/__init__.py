"""Forms: one edit drawn. A record comes in, the arguments of a command go out; nothing here writes."""
