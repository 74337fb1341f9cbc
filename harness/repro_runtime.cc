#include "harness/repro_runtime.h"

namespace mmdiff {

const char kReproHead[] = R"code(#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif
#ifndef MADV_FREE
#define MADV_FREE 8
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif
#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

#define PAGE 4096ul
#define BASE ((char *)0x200000000000ul)
#define NO_FILE 0xffffu

enum code {
  OP_end, OP_mm, OP_fork, OP_exit, OP_file, OP_map, OP_unmap, OP_protect, OP_read, OP_write,
  OP_dontneed, OP_free, OP_cold, OP_pageout, OP_dontfork, OP_dofork, OP_lock, OP_lock_onfault,
  OP_unlock, OP_migrate
};
struct op {
  unsigned index; /* in the program */
  enum code code;
  unsigned cpu;
  unsigned handle; /* that it binds, if it binds one */
  unsigned arg[6];
  const char *text;
};
/* bits of mmap flags in the program */
enum {
  M_READ = 1, M_WRITE = 2, M_SHARED = 4, M_POPULATE = 8, M_LOCKED = 16, M_FIXED = 32, M_NOHUGE = 64
};

)code";

const char kReproServer[] = R"code(
struct reply {
  long ret; /* of the call, or pages done */
  int err;
  uint64_t data; /* folded values of loads */
  pid_t pid;     /* of a fork's child */
};
static struct {
  int command[2], answer[2]; /* pipes of the process that plays this mm */
  pid_t pid;                 /* 0: there is none */
} mms[MMS];
static int files[FILES]; /* descriptors; -1 if making one failed */

static sigjmp_buf on_fault;
static void fault(int sig) {
  (void)sig;
  siglongjmp(on_fault, 1);
}

static void *at(unsigned vpn) { return BASE + vpn * PAGE; }

static void use_cpu(unsigned cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) != 0) errno = 0; /* fewer CPUs here: any will do */
}

static uint64_t fold(uint64_t data, uint64_t value) {
  data ^= value + 0x9e3779b97f4a7c15ul + (data << 6) + (data >> 2);
  return data * 0xff51afd7ed558ccdul;
}

static void access_pages(const struct op *o, struct reply *r) {
  volatile unsigned done = 0;
  volatile uint64_t data = 0;
  if (sigsetjmp(on_fault, 1) != 0) {
    r->err = EFAULT;
  } else {
    for (; done < o->arg[2]; ++done) {
      volatile uint64_t *page = at(o->arg[1] + done);
      if (o->code == OP_write)
        *page = ((uint64_t)o->index + 1) << 32 | (o->arg[1] + done);
      else
        data = fold(data, *page);
    }
  }
  r->ret = done;
  r->data = data;
}

static long map_pages(const struct op *o) {
  const unsigned f = o->arg[3];
  const int has_file = o->arg[4] != NO_FILE && o->arg[4] < FILES;
  int prot = PROT_NONE, flags = (f & M_SHARED) != 0 ? MAP_SHARED : MAP_PRIVATE;
  void *p;
  if ((f & (M_READ | M_WRITE)) != 0) prot |= PROT_READ;
  if ((f & M_WRITE) != 0) prot |= PROT_WRITE;
  if (!has_file) flags |= MAP_ANONYMOUS;
  if ((f & M_POPULATE) != 0) flags |= MAP_POPULATE;
  if ((f & M_LOCKED) != 0) flags |= MAP_LOCKED;
  flags |= (f & M_FIXED) != 0 ? MAP_FIXED : MAP_FIXED_NOREPLACE;
  /* nohuge comes before the pages do, so populating waits for it */
  if ((f & M_NOHUGE) != 0) flags &= ~(MAP_POPULATE | MAP_LOCKED);
  p = mmap(at(o->arg[1]), o->arg[2] * PAGE, prot, flags, has_file ? files[o->arg[4]] : -1,
           has_file ? (off_t)(o->arg[5] * PAGE) : 0);
  if (p == MAP_FAILED) return -1;
  if ((f & M_NOHUGE) == 0) return 0;
  if (madvise(p, o->arg[2] * PAGE, MADV_NOHUGEPAGE) != 0) perror("  nohuge");
  if ((f & M_LOCKED) != 0 && mlock(p, o->arg[2] * PAGE) != 0) perror("  locked");
  if ((f & M_POPULATE) != 0 && (f & (M_READ | M_WRITE)) != 0) {
    /* MADV_POPULATE_READ is 22, MADV_POPULATE_WRITE 23 */
    const int write = (f & M_WRITE) != 0 && (f & M_SHARED) == 0;
    if (madvise(p, o->arg[2] * PAGE, write ? 23 : 22) != 0) perror("  populate");
  }
  return 0;
}

static long move_range(const struct op *o) {
  unsigned i, n = o->arg[2] < ARENA ? o->arg[2] : (unsigned)ARENA;
  void *pages[ARENA];
  int nodes[ARENA], status[ARENA];
  long moved = 0;
  for (i = 0; i < n; ++i) {
    pages[i] = at(o->arg[1] + i);
    nodes[i] = (int)o->arg[3];
    status[i] = 0;
  }
  if (syscall(SYS_move_pages, 0, (unsigned long)n, pages, nodes, status, 2 /* MPOL_MF_MOVE */) < 0)
    return -1;
  for (i = 0; i < n; ++i) moved += status[i] == nodes[i];
  return moved;
}

/* Runs of equal pages of the arena, from /proc/self/pagemap. */
static void print_pagemap(unsigned mm) {
  uint64_t entry[ARENA];
  const uint64_t bits = 1ul << 63 | 1ul << 62 | 1ul << 61 | 1ul << 56;
  unsigned long i, end;
  const int fd = open("/proc/self/pagemap", O_RDONLY);
  ssize_t got = -1;
  if (fd >= 0) {
    got = pread(fd, entry, sizeof(entry), (off_t)((uintptr_t)BASE / PAGE * 8));
    close(fd);
  }
  if (got != (ssize_t)sizeof(entry)) {
    dprintf(1, "  m%u: no pagemap\n", mm);
    return;
  }
  for (i = 0; i < ARENA; i = end) {
    const uint64_t e = entry[i] & bits;
    for (end = i + 1; end < ARENA && (entry[end] & bits) == e; ++end) continue;
    if (e == 0) continue;
    dprintf(1, "  m%u 0x%lx-0x%lx%s%s%s%s\n", mm, i, end - 1, (e >> 63 & 1) != 0 ? " present" : "",
            (e >> 62 & 1) != 0 ? " swap" : "", (e >> 61 & 1) != 0 ? " file" : "",
            (e >> 56 & 1) != 0 ? " exclusive" : "");
  }
}

#define SHOW ~0u /* in the place of an operation: print the pagemap */
static void serve(unsigned mm);

static void do_op(const struct op *o, struct reply *r) {
  void *p = at(o->arg[1]);
  const unsigned long n = o->arg[2] * PAGE;
  switch (o->code) {
    case OP_fork:
      r->ret = r->pid = fork();
      if (r->pid == 0) serve(o->handle);
      break;
    case OP_map: r->ret = map_pages(o); break;
    case OP_unmap: r->ret = munmap(p, n); break;
    case OP_protect:
      r->ret = mprotect(p, n, (o->arg[3] & 2) != 0 ? PROT_READ | PROT_WRITE
                              : o->arg[3] != 0     ? PROT_READ
                                                   : PROT_NONE);
      break;
    case OP_read:
    case OP_write: access_pages(o, r); return;
    case OP_dontneed: r->ret = madvise(p, n, MADV_DONTNEED); break;
    case OP_free: r->ret = madvise(p, n, MADV_FREE); break;
    case OP_cold: r->ret = madvise(p, n, MADV_COLD); break;
    case OP_pageout: r->ret = madvise(p, n, MADV_PAGEOUT); break;
    case OP_dontfork: r->ret = madvise(p, n, MADV_DONTFORK); break;
    case OP_dofork: r->ret = madvise(p, n, MADV_DOFORK); break;
    case OP_lock: r->ret = mlock(p, n); break;
    case OP_lock_onfault: r->ret = syscall(SYS_mlock2, p, n, 1 /* MLOCK_ONFAULT */); break;
    case OP_unlock: r->ret = munlock(p, n); break;
    case OP_migrate: r->ret = move_range(o); break;
    default: break; /* done by main */
  }
  if (r->ret < 0) r->err = errno;
}

/* The life of a process that plays an mm: one operation after the other. */
static void serve(unsigned mm) {
  unsigned i;
  while (read(mms[mm].command[0], &i, sizeof(i)) == (ssize_t)sizeof(i)) {
    struct reply r;
    memset(&r, 0, sizeof(r));
    errno = 0;
    if (i == SHOW) {
      print_pagemap(mm);
    } else {
      use_cpu(ops[i].cpu);
      do_op(&ops[i], &r);
    }
    if (write(mms[mm].answer[1], &r, sizeof(r)) != (ssize_t)sizeof(r)) break;
    if (i != SHOW && ops[i].code == OP_exit) break;
  }
  _exit(0);
}
)code";

const char kReproMain[] = R"code(
static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* A file whose page i starts with the value that the program expects there. */
static int make_file(unsigned id, unsigned npages) {
  char name[] = "./repro-file-XXXXXX";
  const int fd = mkstemp(name);
  unsigned i;
  if (fd < 0) fail("mkstemp");
  unlink(name);
  if (ftruncate(fd, (off_t)(npages * PAGE)) != 0) fail("ftruncate");
  for (i = 0; i < npages; ++i) {
    const uint64_t value = 0xF000000000000000ul | (uint64_t)id << 32 | i;
    if (pwrite(fd, &value, sizeof(value), (off_t)(i * PAGE)) != (ssize_t)sizeof(value))
      fail("pwrite");
  }
  if (fsync(fd) != 0) fail("fsync");
  return fd;
}

/* Sends operation i, or SHOW, to the process of an mm and waits for the answer. */
static struct reply ask(unsigned mm, unsigned i) {
  struct reply r;
  struct pollfd p = {mms[mm].answer[0], POLLIN, 0};
  if (write(mms[mm].command[1], &i, sizeof(i)) != (ssize_t)sizeof(i)) fail("write");
  if (poll(&p, 1, 20000) != 1) {
    dprintf(1, "no answer from m%u: it was killed, or hangs in the kernel\n", mm);
    exit(1);
  }
  if (read(mms[mm].answer[0], &r, sizeof(r)) != (ssize_t)sizeof(r)) fail("read");
  return r;
}

static void print_result(const struct reply *r) {
  dprintf(1, "  => %s", r->err == 0 ? "ok" : strerror(r->err));
  if (r->ret > 0 && r->pid == 0) dprintf(1, " %ld", r->ret);
  if (r->data != 0) dprintf(1, " data=%016lx", (unsigned long)r->data);
  dprintf(1, "\n");
}

/* Runs operation i; returns what came of it. */
static struct reply run(unsigned i) {
  const struct op *o = &ops[i];
  const unsigned mm = o->arg[0];
  struct reply r;
  memset(&r, 0, sizeof(r));
  if (o->code == OP_mm) {
    const pid_t pid = fork();
    if (pid < 0) fail("fork");
    if (pid == 0) serve(o->handle);
    mms[o->handle].pid = r.pid = pid;
  } else if (o->code == OP_file) {
    r.err = o->arg[0] == 0 ? EINVAL : 0; /* the files were made at the start */
  } else if (mm >= MMS || mms[mm].pid == 0) {
    r.err = ESRCH;
  } else {
    r = ask(mm, i);
    if (o->code == OP_fork && r.err == 0) mms[o->handle].pid = r.pid;
    if (o->code == OP_exit) {
      while (kill(mms[mm].pid, 0) == 0) usleep(1000); /* its memory is gone when it is */
      mms[mm].pid = 0;
    }
  }
  return r;
}

int main(void) {
  struct rlimit limit = {MEMLOCK * PAGE, MEMLOCK * PAGE};
  struct sigaction action;
  unsigned i;
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) perror("setrlimit: locked memory is not limited");
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) perror("setrlimit: few files");
  }
  memset(&action, 0, sizeof(action));
  action.sa_handler = fault;
  sigaction(SIGSEGV, &action, NULL);
  sigaction(SIGBUS, &action, NULL);
  signal(SIGCHLD, SIG_IGN); /* children are reaped by the kernel, at every level */
  for (i = 0; i < MMS; ++i) {
    if (pipe(mms[i].command) != 0 || pipe(mms[i].answer) != 0) fail("pipe");
  }
  for (i = 0; i < FILES; ++i) files[i] = -1;
  for (i = 0; ops[i].code != OP_end; ++i) {
    if (ops[i].code == OP_file) files[ops[i].handle] = make_file(ops[i].handle, ops[i].arg[0]);
  }
  for (i = 0; ops[i].code != OP_end; ++i) {
    struct reply r;
    dprintf(1, "%u %s\n", ops[i].index, ops[i].text);
    r = run(i);
    print_result(&r);
    if (ops[i].code == OP_mm || ops[i].code == OP_file) continue;
    if (ops[i].arg[0] < MMS && mms[ops[i].arg[0]].pid != 0) ask(ops[i].arg[0], SHOW);
    if (ops[i].code == OP_fork && r.err == 0) ask(ops[i].handle, SHOW);
  }
  for (i = 0; i < MMS; ++i) {
    if (mms[i].pid != 0) kill(mms[i].pid, SIGKILL);
  }
  return 0;
}
)code";

}  // namespace mmdiff
