/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/*
 * The init of a guest that runs one program, /program (first_program.h): mounts what programs need,
 * lets anonymous memory have folios of the sizes in /sizes, runs the program without the right to
 * lock more memory than its limit, says between two marks how it ended, and turns the machine off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CAP_IPC_LOCK 14
#define THP "/sys/kernel/mm/transparent_hugepage/"

static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int failed = fd < 0 || write(fd, text, strlen(text)) < 0;

	if (fd >= 0)
		close(fd);
	return failed;
}

/* Of each number of kB in the file; kernels without folios of that size have no such file. */
static void allow_sizes(void)
{
	FILE *sizes = fopen("/sizes", "r");
	char path[200];
	int kb;

	put(THP "enabled", "always");
	while (sizes && fscanf(sizes, "%d", &kb) == 1) {
		snprintf(path, sizeof(path), THP "hugepages-%dkB/enabled", kb);
		if (put(path, "always"))
			printf("mmdiff: no folios of %d kB here\n", kb);
	}
}

int main(void)
{
	int status = 0;
	pid_t pid;

	mount("proc", "/proc", "proc", 0, NULL);
	mount("sysfs", "/sys", "sysfs", 0, NULL);
	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	mount("tmpfs", "/tmp", "tmpfs", 0, NULL);
	allow_sizes();
	printf("mmdiff: the program begins\n");
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK);
		if (chdir("/tmp"))
			_exit(126);
		execl("/program", "/program", NULL);
		_exit(127);
	}
	while (wait(&status) != pid)
		;
	if (WIFSIGNALED(status))
		printf("\nmmdiff: the program ended with signal %d\n", WTERMSIG(status));
	else
		printf("\nmmdiff: the program ended with exit code %d\n", WEXITSTATUS(status));
	fflush(stdout);
	sync();
	reboot(RB_POWER_OFF);
	for (;;)
		pause();
}
