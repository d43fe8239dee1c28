"""Scores against the readers: how good they are, and how good readers are beside them."""
