/* Truth: of all samples, 60 % have the leaf `sixty`, 30 % `thirty` and 10 % `ten`. The callers are
 * main -> serve -> each of them; nothing else takes time.
 */
#include "program.h"

static NOINLINE void sixty(void)
{
	spin(6 * UNIT);
}

static NOINLINE void thirty(void)
{
	spin(3 * UNIT);
}

static NOINLINE void ten(void)
{
	spin(1 * UNIT);
}

static NOINLINE void serve(void)
{
	sixty();
	thirty();
	ten();
	KEEP_FRAME();
}

int main(int argc, char **argv)
{
	ready(argc, argv);
	for (;;)
		serve();
}
