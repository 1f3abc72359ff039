/* Usage: dlopen SECONDS PLUGIN [MILLISECONDS [reopen]]
 *
 * Truth: for MILLISECONDS (500 unless told) all samples have the leaf `before_open`; then PLUGIN is
 * opened, and 80 % have the leaf `plugin_leaf` below `plugin_work`, 20 % `host_leaf`. With `reopen`
 * the plug-in is closed and opened again all the time, every 20 ms or so.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

#include "program.h"

enum { ROUNDS = 20 };

static NOINLINE void before_open(double seconds)
{
	double end = now_seconds() + seconds;

	do
		spin(UNIT);
	while (now_seconds() < end);
}

static NOINLINE void host_leaf(void)
{
	spin(2 * UNIT);
}

static NOINLINE void use_plugin(const char *path, int rounds)
{
	void *handle = dlopen(path, RTLD_NOW);
	void (*work)(void) = handle ? (void (*)(void))dlsym(handle, "plugin_work") : NULL;

	if (!work) {
		fprintf(stderr, "%s\n", dlerror());
		_exit(1);
	}
	for (int i = 0; rounds == 0 || i < rounds; i++) {
		work();
		host_leaf();
	}
	dlclose(handle);
}

int main(int argc, char **argv)
{
	int milliseconds = argc > 3 ? atoi(argv[3]) : 500;
	int reopens = argc > 4 && strcmp(argv[4], "reopen") == 0;

	if (argc < 3)
		return 2;
	ready(argc, argv);
	before_open(milliseconds / 1000.0);
	for (;;)
		use_plugin(argv[2], reopens ? ROUNDS : 0);
}
