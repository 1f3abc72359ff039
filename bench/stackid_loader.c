/* Usage: stackid_loader OBJECT PID FREQUENCY SECONDS
 *
 * Runs stackid.bpf.c on the samples of one thread and prints what the kernel says of it:
 * {"run_count": N, "run_seconds": S, "frames": F}, F the frames of the most frequent stack.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MAX_FRAMES = 127 };

struct key {
	__u32 pid;
	__s32 stack;
};

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int open_event(int pid, unsigned long frequency)
{
	struct perf_event_attr attributes = {
		.size = sizeof(attributes),
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = frequency,
		.disabled = 1,
	};
	int event = (int)syscall(SYS_perf_event_open, &attributes, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);

	if (event < 0)
		fail("perf_event_open");
	return event;
}

static int frames_of_hottest(struct bpf_object *object)
{
	int counts = bpf_object__find_map_fd_by_name(object, "counts");
	int stacks = bpf_object__find_map_fd_by_name(object, "stacks");
	__u64 addresses[MAX_FRAMES] = { 0 }, count, most = 0;
	struct key key, *previous = NULL;
	__s32 hottest = -1;
	int frames = 0;

	for (; bpf_map_get_next_key(counts, previous, &key) == 0; previous = &key) {
		if (bpf_map_lookup_elem(counts, &key, &count) == 0 && count > most) {
			most = count;
			hottest = key.stack;
		}
	}
	if (hottest < 0 || bpf_map_lookup_elem(stacks, &hottest, addresses) != 0)
		return 0;
	while (frames < MAX_FRAMES && addresses[frames])
		frames++;
	return frames;
}

int main(int argc, char **argv)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	struct bpf_object *object;
	struct bpf_program *program;
	int event;

	if (argc != 5) {
		fprintf(stderr, "usage: %s OBJECT PID FREQUENCY SECONDS\n", argv[0]);
		return 2;
	}
	object = bpf_object__open(argv[1]);
	if (!object || bpf_object__load(object) != 0)
		fail(argv[1]);
	program = bpf_object__next_program(object, NULL);
	event = open_event(atoi(argv[2]), strtoul(argv[3], NULL, 10));
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		fail("bpf_enable_stats");
	if (!bpf_program__attach_perf_event(program, event))
		fail("attach");
	usleep((useconds_t)(1e6 * atof(argv[4])));
	ioctl(event, PERF_EVENT_IOC_DISABLE, 0);
	if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0)
		fail("bpf_obj_get_info_by_fd");
	printf("{\"run_count\": %llu, \"run_seconds\": %.9f, \"frames\": %d}\n",
	       (unsigned long long)info.run_cnt, 1e-9 * (double)info.run_time_ns,
	       frames_of_hottest(object));
	return 0;
}
