"""A CMDB: entries from files and URLs, matched with processes and addresses."""
