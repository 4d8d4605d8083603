"""Everything that people can change. A module is a noun, a function a verb, and the actor is always `by`.

One command is one transaction, and it changes exactly the rows that it means to: a row that the policies hide is an
update of no rows that "succeeds", so every command looks at how many it changed.
"""
