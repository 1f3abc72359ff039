"""What reads foreign files, a module a format.

Each has `seeds()`, inputs to start from, most of them real ones of this machine, and `read(data)`,
which takes any bytes and returns: it passes over the errors that the reader documents, and
everything else is a finding.
"""
