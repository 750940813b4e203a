/*
 * Runs machine code on the CPU it runs on, for the differential test of the guest CPU.
 *
 * A batch comes on stdin and its results go to stdout, in the layout of `native.ts`. Code, arena and exit lie at the addresses the
 * guest uses. Registers are set, and read back, through signal frames: every case starts by returning from a handler into a
 * prepared context and ends in one, because it faulted or because it got to the `int3` at the exit. Nothing of this program runs
 * in between, so all registers, the stack pointer too, belong to the case.
 */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define PAGE 4096u
#define TIMED_OUT 255u
#define TICKS 10

struct header {
  uint64_t arena, code, exit, gs;
  uint32_t magic, slot, programs, cases, pool, padding;
};
struct start {
  uint32_t program, pool;
  uint64_t gpr[16], rflags, mxcsr, padding;
  uint8_t xmm[256];
};
struct result {
  uint32_t trap, error;
  uint64_t address, gpr[16], rip, rflags, mxcsr;
  uint8_t xmm[256], arena[PAGE];
};

/* The order of the encoding: RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8.. */
static const int order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                              REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

static struct header batch;
static struct start *starts;
static struct result *results;
static uint8_t *pool, *arena;
static volatile uint32_t current;
static volatile int running, ticks;
static gregset_t main_registers;
static struct _libc_fpstate main_floats;

static void begin(ucontext_t *context) {
  const struct start *s = &starts[current];
  greg_t *g = context->uc_mcontext.gregs;
  memcpy(arena, pool + s->pool, PAGE);
  for (int i = 0; i < 16; i++) g[order[i]] = (greg_t)s->gpr[i];
  g[REG_RIP] = (greg_t)(batch.code + (uint64_t)s->program * batch.slot);
  g[REG_EFL] = (greg_t)s->rflags;
  context->uc_mcontext.fpregs->mxcsr = (uint32_t)s->mxcsr;
  memcpy(context->uc_mcontext.fpregs->_xmm, s->xmm, sizeof s->xmm);
  ticks = 0;
}

static void end(const ucontext_t *context, uint32_t trap, uint64_t address) {
  struct result *r = &results[current];
  const greg_t *g = context->uc_mcontext.gregs;
  r->trap = trap;
  r->error = (uint32_t)g[REG_ERR];
  r->address = address;
  for (int i = 0; i < 16; i++) r->gpr[i] = (uint64_t)g[order[i]];
  r->rip = (uint64_t)g[REG_RIP];
  r->rflags = (uint64_t)g[REG_EFL];
  r->mxcsr = context->uc_mcontext.fpregs->mxcsr;
  memcpy(r->xmm, context->uc_mcontext.fpregs->_xmm, sizeof r->xmm);
  memcpy(r->arena, arena, PAGE);
}

static void on_signal(int signal, siginfo_t *info, void *frame) {
  ucontext_t *context = frame;
  (void)info;
  if (signal == SIGALRM && (!running || ++ticks < TICKS)) return;
  if (!running) {
    if (signal != SIGTRAP) _exit(100 + signal);
    memcpy(main_registers, context->uc_mcontext.gregs, sizeof main_registers);
    memcpy(&main_floats, context->uc_mcontext.fpregs, sizeof main_floats);
    running = 1;
    current = 0;
  } else {
    uint32_t trap = signal == SIGALRM ? TIMED_OUT : (uint32_t)context->uc_mcontext.gregs[REG_TRAPNO];
    end(context, trap, (uint64_t)context->uc_mcontext.gregs[REG_CR2]);
    current++;
  }
  if (current < batch.cases) {
    begin(context);
    return;
  }
  running = 0;
  memcpy(context->uc_mcontext.gregs, main_registers, sizeof main_registers);
  memcpy(context->uc_mcontext.fpregs, &main_floats, sizeof main_floats);
}

static int take(void *to, size_t size) {
  for (uint8_t *p = to; size;) {
    ssize_t n = read(0, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    p += n;
    size -= (size_t)n;
  }
  return 1;
}

static void give(const void *from, size_t size) {
  for (const uint8_t *p = from; size;) {
    ssize_t n = write(1, p, size);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) exit(3);
    p += n;
    size -= (size_t)n;
  }
}

/* Fails rather than replace anything that is mapped. */
static uint8_t *map(uint64_t address, size_t size) {
  void *p = mmap((void *)address, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (p != (void *)address) {
    fprintf(stderr, "native: cannot map %#lx\n", (unsigned long)address);
    exit(2);
  }
  return p;
}

static void protect(void *at, size_t size, int protection) {
  if (mprotect(at, size, protection)) exit(4);
}

int main(void) {
  static const int signals[] = {SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGBUS, SIGALRM};
  stack_t stack = {.ss_sp = malloc(1 << 18), .ss_size = 1 << 18};
  sigaltstack(&stack, 0);
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
  sigfillset(&action.sa_mask);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, 0);
  struct itimerval tick = {{0, 20000}, {0, 20000}};

  uint8_t *code = 0;
  size_t code_size = 0;
  while (take(&batch, sizeof batch)) {
    if (batch.magic != 0x54464944) return 5;
    size_t size = (size_t)batch.slot * batch.programs;
    size = (size + PAGE - 1) & ~(size_t)(PAGE - 1);
    if (!arena) {
      arena = map(batch.arena, 2 * PAGE);
      uint8_t *out = map(batch.exit, PAGE);
      *out = 0xcc;
      protect(out, PAGE, PROT_READ | PROT_EXEC);
      syscall(SYS_arch_prctl, ARCH_SET_GS, batch.gs);
    }
    if (code && size != code_size) munmap(code, code_size), code = 0;
    if (!code) code = map(batch.code, code_size = size);
    protect(code, size, PROT_READ | PROT_WRITE);
    pool = realloc(pool, batch.pool);
    starts = realloc(starts, batch.cases * sizeof *starts);
    results = realloc(results, batch.cases * sizeof *results);
    if (!take(code, (size_t)batch.slot * batch.programs) || !take(pool, batch.pool) ||
        !take(starts, batch.cases * sizeof *starts))
      return 6;
    protect(code, size, PROT_READ | PROT_EXEC);
    /* the page behind the arena can be read and holds the pool's beginning */
    protect(arena + PAGE, PAGE, PROT_READ | PROT_WRITE);
    memcpy(arena + PAGE, pool, PAGE);
    protect(arena + PAGE, PAGE, PROT_READ);
    memset(results, 0, batch.cases * sizeof *results);

    setitimer(ITIMER_REAL, &tick, 0);
    __asm__ volatile("int3" ::: "memory");
    struct itimerval off = {{0, 0}, {0, 0}};
    setitimer(ITIMER_REAL, &off, 0);
    give(results, batch.cases * sizeof *results);
  }
  return 0;
}
