// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TCP traffic without any hook on sends and receives: bytes come from the sockets themselves, at
 * drains and at their end. A call costs nothing, and is not counted. A socket belongs to the process
 * that connected it, or else to the one that a drain finds with a descriptor of it.
 */
#include "socket_storage.bpf.h"

#include "traffic.bpf.h"
