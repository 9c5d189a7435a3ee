/* The wall clock of one process, off by what a file says: eight bytes, nanoseconds, in the order of this machine.
   All other clocks are left alone. Loaded with LD_PRELOAD; the file is named by READYD_FAULT_CLOCK. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *off_by;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("READYD_FAULT_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *page = mmap(NULL, sizeof *off_by, PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (page != MAP_FAILED) off_by = page;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
  int failed = syscall(SYS_clock_gettime, clock, time);
  if (!failed && off_by && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const int64_t second = 1000000000;
    int64_t seconds = time->tv_sec + *off_by / second, nanos = time->tv_nsec + *off_by % second;
    if (nanos < 0) seconds--, nanos += second;
    if (nanos >= second) seconds++, nanos -= second;
    time->tv_sec = seconds;
    time->tv_nsec = nanos;
  }
  return failed;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  (void)zone;
  struct timespec now;
  int failed = clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return failed;
}

time_t time(time_t *time) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (time) *time = now.tv_sec;
  return now.tv_sec;
}
