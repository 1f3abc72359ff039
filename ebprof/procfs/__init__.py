"""What `/proc` says: mappings, processes, namespaces."""
