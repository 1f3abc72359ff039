/* Truth: `phases SECONDS FIRST` spends its first FIRST seconds in `alpha`, and then all in `beta`.
 * Both are called by main.
 */
#include "program.h"

static volatile sig_atomic_t is_second;

static void change(int signal_number)
{
	(void)signal_number;
	is_second = 1;
}

static NOINLINE void alpha(void)
{
	spin(UNIT);
}

static NOINLINE void beta(void)
{
	spin(UNIT);
}

/* The one timer that there is for SIGALRM is that of `ready`: this one has a signal of its own. */
static void change_after(unsigned seconds)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	struct itimerspec when = {.it_value.tv_sec = seconds};
	timer_t timer;

	signal(SIGUSR1, change);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &when, NULL))
		_exit(1);
}

int main(int argc, char **argv)
{
	change_after(argc > 2 ? (unsigned)atoi(argv[2]) : 1);
	ready(argc, argv);
	for (;;) {
		if (is_second)
			beta();
		else
			alpha();
	}
}
