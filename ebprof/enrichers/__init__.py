"""What knows more of processes and addresses than who pushes them: a module each (Enricher).

Others add theirs by entry points of the group `ebprof.enrichers`: docs/extending.md.
"""

from ebprof.enrichers._protocol import Catalogue, Enricher, Source, Subject

__all__ = ["Catalogue", "Enricher", "Source", "Subject"]
