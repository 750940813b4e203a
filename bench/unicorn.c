/*
 * Runs a flat kernel under Unicorn: `unicorn FILE none|checked`, then a number of repetitions per line on stdin; answers with the
 * result and the seconds it took. `checked` looks up a shadow byte at every access, in a memory hook. Each run has an engine of its
 * own, warmed up by one repetition.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unicorn/unicorn.h>

#define CODE 0x10000ul
#define CODE_SIZE 0x10000ul
#define RETURN 0x30000ul
#define ARENA 0x200000ul
#define ARENA_SIZE 0x200000ul
#define STACK 0x500000ul
#define STACK_SIZE 0x10000ul

static uint8_t code[CODE_SIZE], shadow[0x1000000 >> 3];
static volatile uint64_t refused;

#define CHECK(call)                                           \
  do {                                                        \
    uc_err error = (call);                                    \
    if (error) {                                              \
      fprintf(stderr, "%s: %s\n", #call, uc_strerror(error)); \
      exit(1);                                                \
    }                                                         \
  } while (0)

static void on_access(uc_engine *u, uc_mem_type type, uint64_t address, int size, int64_t value, void *data) {
  (void)u, (void)type, (void)value, (void)data;
  uint64_t i = address >> 3;
  if (i >= sizeof shadow || shadow[i] || shadow[(address + (uint64_t)size - 1) >> 3]) refused++;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static uint64_t run(uc_engine *u, uint64_t repetitions) {
  uint64_t rsp = STACK + STACK_SIZE - 0x108, back = RETURN, arena = ARENA, rax;
  CHECK(uc_mem_write(u, rsp, &back, 8));
  CHECK(uc_reg_write(u, UC_X86_REG_RSP, &rsp));
  CHECK(uc_reg_write(u, UC_X86_REG_RDI, &arena));
  CHECK(uc_reg_write(u, UC_X86_REG_RSI, &repetitions));
  CHECK(uc_emu_start(u, CODE, RETURN, 0, 0));
  CHECK(uc_reg_read(u, UC_X86_REG_RAX, &rax));
  return rax;
}

int main(int count, char **arguments) {
  FILE *file = count > 2 ? fopen(arguments[1], "rb") : 0;
  unsigned long repetitions;
  if (!file || !fread(code, 1, sizeof code, file)) return 1;
  static uint8_t zeros[ARENA_SIZE];
  while (scanf("%lu", &repetitions) == 1) {
    uc_engine *u;
    uc_hook hook;
    CHECK(uc_open(UC_ARCH_X86, UC_MODE_64, &u));
    CHECK(uc_mem_map(u, CODE, CODE_SIZE, UC_PROT_READ | UC_PROT_EXEC));
    CHECK(uc_mem_map(u, RETURN, 0x1000, UC_PROT_ALL));
    CHECK(uc_mem_map(u, ARENA, ARENA_SIZE, UC_PROT_READ | UC_PROT_WRITE));
    CHECK(uc_mem_map(u, STACK, STACK_SIZE, UC_PROT_READ | UC_PROT_WRITE));
    CHECK(uc_mem_write(u, CODE, code, sizeof code));
    CHECK(uc_mem_write(u, RETURN, "\xf4", 1));
    if (!strcmp(arguments[2], "checked"))
      CHECK(uc_hook_add(u, &hook, UC_HOOK_MEM_READ | UC_HOOK_MEM_WRITE, on_access, 0, 1, 0));
    run(u, 1);
    CHECK(uc_mem_write(u, ARENA, zeros, sizeof zeros));
    double start = now();
    uint64_t result = run(u, repetitions);
    double seconds = now() - start;
    if (refused) return 2;
    printf("%lx %.9f\n", result, seconds);
    fflush(stdout);
    uc_close(u);
  }
  return 0;
}
