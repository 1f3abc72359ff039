// Truth: main -> serve -> six functions, of which each has as many hundredths of the time as parts,
// and nothing else takes time. The second version (-DSECOND) packs three times as long and checks as well,
// for as long as six of the parts; all of its functions are at other addresses.
#include "program.h"

static const unsigned long PART = UNIT / 10;

#ifdef SECOND
static const unsigned long PACK = 60;
#else
static const unsigned long PACK = 20;
#endif

namespace shop
{

#ifdef SECOND
static NOINLINE void check()
{
	spin(6 * PART);
}
#endif

static NOINLINE void parse()
{
	spin(30 * PART);
}

static NOINLINE void price()
{
	spin(18 * PART);
}

static NOINLINE void pack()
{
	spin(PACK * PART);
}

static NOINLINE void bill()
{
	spin(14 * PART);
}

static NOINLINE void ship()
{
	spin(10 * PART);
}

static NOINLINE void note()
{
	spin(8 * PART);
}

static NOINLINE void serve()
{
#ifdef SECOND
	check();
#endif
	parse();
	price();
	pack();
	bill();
	ship();
	note();
	KEEP_FRAME();
}

}

int main(int argc, char **argv)
{
	ready(argc, argv);
	for (;;)
		shop::serve();
}
