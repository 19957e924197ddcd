"""``make bench``: what a delivered message costs, beside Node's servers doing the same work."""
