"""Labels for what is pushed, by who knows more of it than the sender: a module each (Enricher).

Plug-ins add theirs by entry points of the group `ebprof.enrichers`: docs/extending.md.
"""

from ebprof.enrichers._protocol import Catalogue, Enricher, Source, Subject

__all__ = ["Catalogue", "Enricher", "Source", "Subject"]
