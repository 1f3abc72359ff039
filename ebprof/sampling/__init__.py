"""A run: whom to sample, the loop that drains it, counts and names of each window."""
