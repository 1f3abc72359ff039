"""Several commands as one: children that end together."""
