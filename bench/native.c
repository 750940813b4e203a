/*
 * Runs a flat kernel on the host's CPU: `native FILE`, then a number of repetitions per line on stdin; answers with the result
 * and the seconds it took.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define ARENA_SIZE 0x200000ul
#define CODE_SIZE 0x10000ul

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int count, char **arguments) {
  uint8_t *code = mmap(0, CODE_SIZE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  uint8_t *arena = mmap(0, ARENA_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  FILE *file = count > 1 ? fopen(arguments[1], "rb") : 0;
  unsigned long repetitions;
  if (!file || code == MAP_FAILED || arena == MAP_FAILED || !fread(code, 1, CODE_SIZE, file)) return 1;
  uint64_t (*entry)(uint8_t *, uint64_t) = (uint64_t(*)(uint8_t *, uint64_t))(void *)code;
  while (scanf("%lu", &repetitions) == 1) {
    memset(arena, 0, ARENA_SIZE);
    double start = now();
    uint64_t result = entry(arena, repetitions);
    printf("%lx %.9f\n", result, now() - start);
    fflush(stdout);
  }
  return 0;
}
