"""Names for addresses that were pushed: object files from agents, and look-ups in a process apart.

`files` keeps what agents send, `uploads` takes it, `process` looks addresses up in it, and
`resolver` says which, and has the names written to the store.
"""
