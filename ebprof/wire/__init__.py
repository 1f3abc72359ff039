"""Messages between programs: what an agent pushes, and what a collector answers.

The `.proto` files of this package are the source. They are read at run time (`_schema.py`), so
that there is no generated code to keep in step with them.
"""

from ebprof.wire._schema import message_class

__all__ = ["message_class"]
