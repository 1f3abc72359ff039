/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "names.h"

#include "abi.h"
#include "traffic_abi.h"

#include <stddef.h>

#define NAME(symbol, name, help) name,
#define HELP(symbol, name, help) help,
#define COUNTER_NAME(symbol, name, lost, help) name,
#define COUNTER_HELP(symbol, name, lost, help) help,
#define COUNTER_LOST(symbol, name, lost, help) lost,

/* function(number): an entry of LIST by its place; NULL, or 0, past the end. */
#define ENTRIES(function, type, LIST, PART, COUNT)                                                 \
	type function(uint32_t number)                                                             \
	{                                                                                          \
		static type const entries[] = { LIST(PART) };                                      \
                                                                                                   \
		return number < COUNT ? entries[number] : 0;                                       \
	}

ENTRIES(stop_name, const char *, STOP_REASONS, NAME, STOP_COUNT)
ENTRIES(stop_help, const char *, STOP_REASONS, HELP, STOP_COUNT)
ENTRIES(counter_name, const char *, COUNTERS, COUNTER_NAME, COUNTER_COUNT)
ENTRIES(counter_help, const char *, COUNTERS, COUNTER_HELP, COUNTER_COUNT)
ENTRIES(counter_is_loss, int, COUNTERS, COUNTER_LOST, COUNTER_COUNT)
ENTRIES(traffic_counter_name, const char *, TRAFFIC_COUNTERS, COUNTER_NAME, TRAFFIC_COUNTER_COUNT)
ENTRIES(traffic_counter_help, const char *, TRAFFIC_COUNTERS, COUNTER_HELP, TRAFFIC_COUNTER_COUNT)
ENTRIES(traffic_counter_is_loss, int, TRAFFIC_COUNTERS, COUNTER_LOST, TRAFFIC_COUNTER_COUNT)
ENTRIES(connect_error_name, const char *, CONNECT_ERRORS, NAME, CONNECT_ERROR_COUNT)
ENTRIES(connect_error_help, const char *, CONNECT_ERRORS, HELP, CONNECT_ERROR_COUNT)
