"""A terminal as a place to draw on and to read keys from; knows nothing of what is drawn."""
