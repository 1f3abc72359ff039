/* Truth: half of the time is in `near_leaf`, half in `far_leaf`, which the linker puts into another
 * executable segment (section .far_text); each is called by the other segment's function of the name
 * `call_near` or `call_far`, and by `main`.
 */
#include "program.h"

#define FAR __attribute__((section(".far_text")))

static NOINLINE FAR void far_leaf(void)
{
	spin(UNIT);
}

static NOINLINE void near_leaf(void)
{
	spin(UNIT);
}

static NOINLINE void call_far(void)
{
	far_leaf();
	KEEP_FRAME();
}

static NOINLINE FAR void call_near(void)
{
	near_leaf();
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	ready(argc, argv);
	for (;;) {
		call_far();
		call_near();
	}
}
