"""The mathematics: pure functions, frames in, frames out, each naming the source of its method."""
