/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
 *
 * Names, and lines of help, of what abi.h and traffic_abi.h number; NULL past the end.
 */
#ifndef EBPROF_NAMES_H
#define EBPROF_NAMES_H

#include <stdint.h>

const char *stop_name(uint32_t reason);
const char *stop_help(uint32_t reason);
const char *counter_name(uint32_t counter);
const char *counter_help(uint32_t counter);
const char *traffic_counter_name(uint32_t counter);
const char *traffic_counter_help(uint32_t counter);
const char *connect_error_name(uint32_t error);
const char *connect_error_help(uint32_t error);

/* Whether what it counts is missing from the result. */
int counter_is_loss(uint32_t counter);
int traffic_counter_is_loss(uint32_t counter);

#endif
