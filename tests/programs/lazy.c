/* Truth: nearly all time is in the dynamic linker, which binds FUNCTIONS functions of a library
 * again and again: each call goes through `_dl_runtime_resolve`, whose frame is found by rbx alone.
 * `call_all` and `main` are in every stack.
 */
#include <stdint.h>

#include "lazylib.h"
#include "program.h"

enum { RESERVED = 3 };	/* entries of the GOT that are the dynamic linker's own */

/* What the linker puts at the start of .got.plt. */
extern uint64_t _GLOBAL_OFFSET_TABLE_[] __attribute__((visibility("hidden")));

static uint64_t unbound[RESERVED + FUNCTIONS];

#define CALL(name) name();

static NOINLINE void call_all(void)
{
	EACH_FUNCTION(CALL)
	KEEP_FRAME();
}

/* As they were before the first call. */
static void unbind(void)
{
	for (int i = RESERVED; i < RESERVED + FUNCTIONS; i++)
		*(volatile uint64_t *)&_GLOBAL_OFFSET_TABLE_[i] = unbound[i];
}

int main(int argc, char **argv)
{
	for (int i = RESERVED; i < RESERVED + FUNCTIONS; i++)
		unbound[i] = _GLOBAL_OFFSET_TABLE_[i];
	ready(argc, argv);
	for (;;) {
		call_all();
		unbind();
	}
}
