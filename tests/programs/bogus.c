/* Usage: bogus SECONDS
 *
 * Truth: all samples have the leaf `work`, called from an address that is in no mapping.
 */
#include "program.h"

#define STRING(x) #x
#define TEXT(x) STRING(x)
#define BOGUS 0x12345678

static __attribute__((noinline, noreturn, used)) void work(void)
{
	for (;;)
		spin(UNIT);
}

int main(int argc, char **argv)
{
	ready(argc, argv);
	__asm__ volatile("and $-16, %rsp\n\tpush $" TEXT(BOGUS) "\n\tjmp work");
	__builtin_unreachable();
}
