/* Truth: `shares SECONDS X Y Z` spends X parts of its time in `alpha`, Y in `beta` and Z in
 * `gamma_`, so that two runs differ in what they were told to. All three are called by main.
 */
#include "program.h"

static NOINLINE void alpha(unsigned long parts)
{
	spin(parts * UNIT);
}

static NOINLINE void beta(unsigned long parts)
{
	spin(parts * UNIT);
}

static NOINLINE void gamma_(unsigned long parts)
{
	spin(parts * UNIT);
}

int main(int argc, char **argv)
{
	unsigned long parts[3] = {1, 1, 1};

	for (int i = 0; i < 3 && i + 2 < argc; i++)
		parts[i] = strtoul(argv[i + 2], NULL, 10);
	ready(argc, argv);
	for (;;) {
		alpha(parts[0]);
		beta(parts[1]);
		gamma_(parts[2]);
	}
}
