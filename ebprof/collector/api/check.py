"""Asks a collector that runs how each of its parts stands."""

from __future__ import annotations

import http.client
import json
import ssl

from ebprof.address import Address
from ebprof.collector.api.health import READY
from ebprof.collector.api.options import ServerOptions
from ebprof.collector.standing import Check
from ebprof.errors import EbprofError, UsageError
from ebprof.tls import load_certificate

_TIMEOUT_S = 10


def checks(options: ServerOptions) -> list[Check]:
    """Of its parts; raises EbprofError where nobody answers."""
    place = options.listen[0]
    if not isinstance(place, Address):
        raise UsageError(f"cannot check {place.url}", "give --listen ADDR:PORT")
    connection = _connection(place, options)
    try:
        connection.request("GET", READY)
        found = json.loads(connection.getresponse().read())["checks"]
        return [Check(str(one["name"]), str(one["state"]), str(one["detail"])) for one in found]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise EbprofError(
            f"no collector answers at {place.url}: {error}",
            "is it running, is it this --listen, are there the same --tls-cert and --tls-key?",
        ) from None
    finally:
        connection.close()


def _connection(place: Address, options: ServerOptions) -> http.client.HTTPConnection:
    """It is ours: its certificate may be for any name, and is shown by us too if it wants one."""
    if options.tls.cert is None:
        return http.client.HTTPConnection(place.host, place.port, timeout=_TIMEOUT_S)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    load_certificate(context, options.tls)
    return http.client.HTTPSConnection(place.host, place.port, timeout=_TIMEOUT_S, context=context)
