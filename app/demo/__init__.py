"""A believable event-services company to look at and to measure on, grown from one seed; `truth` says what is so."""

from app.demo.loading import load

__all__ = ["load"]
