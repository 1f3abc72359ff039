"""The centre of a fleet: takes pushes of profiles, keeps them, and answers questions about them.

`receive/` checks pushes and writes them to a log before it acknowledges them, `store/` is the
process of the database that the log is emptied into, `query/` says what may be asked, and `api/`
translates HTTP.
"""
