/* Truth: 65,536 distinct call paths (four levels, sixteen functions each), all with the same share,
 * so that N samples show about 65536 * (1 - exp(-N / 65536)) distinct paths.
 */
#include "program.h"

enum { FANOUT = 16, LEVELS = 4, PATHS = 1 << 16, STRIDE = 40503, SHORT_UNIT = 2000 };

typedef void node(unsigned path, int level);

static node *const nodes[FANOUT];

#define NODE(n)                                                  \
	static NOINLINE void node_##n(unsigned path, int level)  \
	{                                                        \
		if (level == LEVELS)                             \
			spin(SHORT_UNIT);                        \
		else                                             \
			nodes[path % FANOUT](path / FANOUT, level + 1); \
		KEEP_FRAME();                                    \
	}

NODE(0) NODE(1) NODE(2) NODE(3) NODE(4) NODE(5) NODE(6) NODE(7)
NODE(8) NODE(9) NODE(10) NODE(11) NODE(12) NODE(13) NODE(14) NODE(15)

static node *const nodes[FANOUT] = {
	node_0, node_1, node_2, node_3, node_4, node_5, node_6, node_7,
	node_8, node_9, node_10, node_11, node_12, node_13, node_14, node_15,
};

int main(int argc, char **argv)
{
	ready(argc, argv);
	/* An odd stride visits every path before any is visited again. */
	for (unsigned path = 0;; path = (path + STRIDE) % PATHS)
		nodes[path % FANOUT](path / FANOUT, 1);
}
