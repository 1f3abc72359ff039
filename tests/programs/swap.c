/* Usage: swap SECONDS MILLISECONDS PLUGIN...
 *
 * Truth: one PLUGIN is open at a time, for MILLISECONDS, by turns, in a thread that is named after its
 * file. All but what opening and closing costs has the leaf that the plug-in's `plugin_work` calls;
 * they lie at the same addresses, as nothing else is mapped meanwhile.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "program.h"

static double turn_seconds;

static void fail(void)
{
	fprintf(stderr, "%s\n", dlerror());
	_exit(1);
}

static NOINLINE void use_plugin(const char *path)
{
	void *handle = dlopen(path, RTLD_NOW);
	void (*work)(void) = handle ? (void (*)(void))dlsym(handle, "plugin_work") : NULL;
	double end = now_seconds() + turn_seconds;

	if (!work)
		fail();
	do
		work();
	while (now_seconds() < end);
	dlclose(handle);
}

static void *turn(void *path)
{
	const char *name = strrchr(path, '/');

	prctl(PR_SET_NAME, name ? name + 1 : path);
	use_plugin(path);
	return NULL;
}

int main(int argc, char **argv)
{
	if (argc < 4)
		return 2;
	turn_seconds = atoi(argv[2]) / 1000.0;
	ready(argc, argv);
	for (int i = 3;; i = i + 1 < argc ? i + 1 : 3) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, turn, argv[i]))
			return 1;
		pthread_join(thread, NULL);
	}
}
