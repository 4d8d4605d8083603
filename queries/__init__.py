"""The read side, complete: what a word means and every question a page asks."""
