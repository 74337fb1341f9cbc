/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The first and only program of a guest (init.h): mounts, modules, swap, and off it goes. */
#include "init.h"
#include "link.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/rseq.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Of mmdiff.ko: its device, and what it is asked for. */
#define DEVICE "/dev/mmdiff"
#define DEVICE_FD 3
#define RUN 0x6d00		/* runs programs for ever */
#define BE_TEMPLATE 0x6d01	/* becomes the process all others are forked from */
#define SWAP "/dev/mmdiffswap"

#define MAX_MODULES 64

void mmdiff_give_up(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	printf("mmdiff: ");
	vprintf(format, args);
	if (error)
		printf(": %s", strerror(error));
	printf("\n");
	fflush(stdout);
	va_end(args);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}

static long milliseconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* For whoever wants to know where a boot's time went; the host reads it off the console. */
void mmdiff_tell_times(long kernel)
{
	printf("mmdiff boot: kernel %ld ms, init %ld ms\n", kernel, milliseconds() - kernel);
}

static void mount_at(const char *type, const char *where, bool needed)
{
	mkdir(where, 0755);
	/* devtmpfs may be there already. */
	if (mount(type, where, type, 0, NULL) && errno != EBUSY && needed)
		mmdiff_give_up(errno, "cannot mount %s at %s", type, where);
}

/* 0, or an errno. */
static int load(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;

	if (fd < 0)
		return errno;
	if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
		error = errno;
	close(fd);
	return error;
}

char *mmdiff_read_all(const char *path, size_t *bytes)
{
	size_t room = 1 << 20, used = 0;
	char *text = malloc(room);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return NULL;
	while (text && (n = read(fd, text + used, room - used - 1)) > 0) {
		used += n;
		if (room - used < 65536) {
			room *= 2;
			text = realloc(text, room);
		}
	}
	close(fd);
	if (text)
		text[used] = 0;
	*bytes = used;
	return text;
}

/* mmdiff.ko calls what the kernel does not offer to modules. */
static void load_linked(const char *path)
{
	char lacking[2048];
	size_t bytes, unused;
	char *kallsyms = mmdiff_read_all("/proc/kallsyms", &unused), *image = mmdiff_read_all(path, &bytes);

	if (!kallsyms || !image)
		mmdiff_give_up(errno, "cannot read /proc/kallsyms or %s", path);
	if (link_module(image, bytes, kallsyms, lacking, sizeof(lacking)))
		mmdiff_give_up(0, "this kernel does not have, or has more than one of:%s", lacking);
	if (syscall(SYS_init_module, image, bytes, ""))
		mmdiff_give_up(errno, "cannot load %s (the kernel says why above)", path);
	free(kallsyms);
	free(image);
}

/* Loads what lies in a directory, in whatever order they need one another. */
static void load_all(const char *directory)
{
	static char paths[MAX_MODULES][300];
	int errors[MAX_MODULES];
	int n = 0, left, before;
	struct dirent *entry;
	DIR *dir = opendir(directory);

	if (!dir)
		return;
	while ((entry = readdir(dir)) && n < MAX_MODULES) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(paths[n], sizeof(paths[n]), "%s/%s", directory, entry->d_name);
		errors[n++] = -1;
	}
	closedir(dir);
	left = n;
	do {
		before = left;
		for (int i = 0; i < n; i++) {
			if (errors[i] && !(errors[i] = load(paths[i])))
				left--;
		}
	} while (left && left < before);
	for (int i = 0; i < n; i++) {
		if (errors[i])
			mmdiff_give_up(errors[i], "cannot load %s (the kernel may say why above)", paths[i]);
	}
}

/*
 * What the C library has told the kernel of this task's memory, which is about to go: the kernel would write
 * to it.
 */
void mmdiff_forget_library(void)
{
	syscall(SYS_set_robust_list, NULL, 3 * sizeof(long));
	syscall(SYS_set_tid_address, NULL);
	if (__rseq_size)
		syscall(SYS_rseq, (char *)__builtin_thread_pointer() + __rseq_offset, sizeof(struct rseq),
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

/* Becomes the executor, and the template of the processes that it runs operations in. */
static void serve_exact(long kernel)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	int fd, error;
	pid_t pid;

	load_linked("/mmdiff.ko");
	fd = open(DEVICE, O_RDWR);
	if (fd < 0)
		mmdiff_give_up(errno, "cannot open " DEVICE);
	if (fd != DEVICE_FD && (dup2(fd, DEVICE_FD) < 0 || close(fd)))
		mmdiff_give_up(errno, "cannot make " DEVICE " descriptor %d", DEVICE_FD);
	if (swapon(SWAP, 0))
		mmdiff_give_up(errno, "cannot swap to " SWAP);
	/* Nobody is left to be waited for. */
	if (sigaction(SIGCHLD, &ignore, NULL))
		mmdiff_give_up(errno, "cannot ignore SIGCHLD");
	pid = fork();
	if (pid < 0)
		mmdiff_give_up(errno, "cannot fork");
	if (pid == 0) {
		mmdiff_forget_library();
		ioctl(DEVICE_FD, BE_TEMPLATE, 0);
		mmdiff_give_up(errno, "the template of all processes has ended");
	}
	mmdiff_tell_times(kernel);
	error = ioctl(DEVICE_FD, RUN, 0) ? errno : 0;
	mmdiff_give_up(error, "the module runs no programs any more");
}

int main(void)
{
	long kernel = milliseconds();
	struct stat file;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mount_at("proc", "/proc", true);
	mount_at("sysfs", "/sys", true);
	mount_at("devtmpfs", "/dev", true);
	mount_at("debugfs", "/sys/kernel/debug", false);
	mount_at("cgroup2", "/sys/fs/cgroup", false);
	/* From here on warnings are printed; the boot's own would only take time. */
	klogctl(8 /* SYSLOG_ACTION_CONSOLE_LEVEL */, NULL, 5);
	mmdiff_settle();
	load_all("/modules");
	if (stat("/mmdiff.ko", &file) == 0)
		serve_exact(kernel);
	mmdiff_serve_public(kernel);
}
