"""One verb a module; each has a click command named `command`."""
