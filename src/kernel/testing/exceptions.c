/* The driver of exceptions.test.ts. The faults are in functions of their own: clang takes only calls for what may raise. */
typedef unsigned long long u64;
typedef struct RECORD { int code; unsigned flags; struct RECORD *chain; void *address; unsigned count; u64 info[15]; } RECORD;
typedef struct { RECORD *record; unsigned char *context; } POINTERS;
typedef struct { void *pc, *base; unsigned *entry; char *frame; void *target, *context, *handler; unsigned *data; } DISPATCHER;
#define GetExceptionCode _exception_code
#define GetExceptionInformation _exception_info
#define AbnormalTermination _abnormal_termination
#define VARIABLE __declspec(dllexport)
#define EXPORT __declspec(dllexport) __attribute__((noinline))
#define LOCAL static __attribute__((noinline))
__declspec(dllimport) void ExRaiseStatus(int status);
__declspec(dllimport) void RtlRaiseException(RECORD *record);
__declspec(dllimport) void *memcpy(void *to, const void *from, u64 size);
__declspec(dllimport) void ProbeForRead(const void *address, u64 size, unsigned alignment);
__declspec(dllimport) void ProbeForWrite(void *address, u64 size, unsigned alignment);
__declspec(dllimport) int TestCall(int (*routine)(u64), u64 argument);
__declspec(dllimport) void TestStack(void);
__declspec(dllimport) void RtlCaptureContext(void *context);
__declspec(dllimport) int __C_specific_handler(RECORD *, void *, void *, void *);

VARIABLE int code, order, aborted;
VARIABLE u64 seen;
int _fltused;
volatile int zero;
static void step(int digit) { order = order * 10 + digit; }

LOCAL int load(volatile int *p) { return *p; }
LOCAL int store(volatile int *p) { *p = 7; return 1; }
LOCAL int divide(int a) { return a / zero; }
LOCAL int keep(int c, POINTERS *p) { code = c; seen = p->record->info[1]; return 1; }

EXPORT int null_read(u64 a) {
  __try { return load((int *)a); } __except (keep(GetExceptionCode(), GetExceptionInformation())) { return -1; }
}
EXPORT int null_write(u64 a) {
  __try { return store((int *)a); } __except (keep(GetExceptionCode(), GetExceptionInformation())) { return -1; }
}
EXPORT int division(u64 a) { __try { return divide(a); } __except (code = GetExceptionCode(), 1) { return -2; } }
LOCAL void trap(void) { __debugbreak(); }
EXPORT int breakpoint(u64 a) { __try { trap(); } __except (code = GetExceptionCode(), 1) { return -3; } return 0; }
LOCAL void invalid(void) { __asm__ volatile("ud2"); }
EXPORT int undefined(u64 a) { __try { invalid(); } __except (code = GetExceptionCode(), 1) { return -4; } return 0; }
LOCAL int jump(u64 a) { return ((int (*)(void))a)() + 1; }
EXPORT int call_null(u64 a) { __try { return jump(a); } __except (code = GetExceptionCode(), 1) { return -5; } }

EXPORT int nested(u64 a) {
  int result = 0; order = 0;
  __try {
    __try {
      __try { step(1); load((int *)a); step(9); }
      __finally { step(3); aborted = AbnormalTermination(); }
    } __except (step(2), 0) { step(8); }
  } __except (step(4), 1) { step(5); result = order; }
  return result;
}
EXPORT int finally_normal(u64 a) {
  order = 0;
  __try { step(1); load((int *)&order); } __finally { step(2); aborted = AbnormalTermination(); }
  return order;
}
LOCAL int callee(u64 a) { __try { return load((int *)a) + 1; } __finally { step(2); } }
LOCAL int middle(u64 a) { int x[40]; x[a & 7] = 1; int r = callee(a); return r + x[3]; }
EXPORT int in_callee(u64 a) {
  order = 0;
  __try { step(1); middle(a); } __except (1) { step(3); }
  return order;
}
EXPORT int raise(u64 a) {
  order = 0;
  __try { __try { ExRaiseStatus((int)a); step(9); } __finally { step(1); } } __except (code = GetExceptionCode(), 1) { step(2); }
  return order;
}
EXPORT int copy(u64 a) {
  char buffer[32];
  __try { memcpy(buffer, (void *)a, sizeof buffer); } __except (code = GetExceptionCode(), 1) { return -1; }
  return buffer[3];
}
EXPORT int probe(u64 a) {
  __try { ProbeForRead((void *)a, 16, 4); } __except (code = GetExceptionCode(), 1) { return -1; }
  return 1;
}
EXPORT int probe_write(u64 a) {
  __try { ProbeForWrite((void *)a, 16, 4); } __except (code = GetExceptionCode(), 1) { return -1; }
  return 1;
}
LOCAL int faulting(u64 a) { __try { return load((int *)a) + 1; } __finally { step(2); } }
EXPORT int through_callback(u64 a) {
  order = 0;
  __try { step(1); TestCall(faulting, a); step(9); } __except (step(3), code = GetExceptionCode(), 1) { step(4); }
  return order;
}
LOCAL int catching(u64 a) { __try { TestCall(faulting, a); step(9); } __finally { step(5); } return 0; }
EXPORT int two_callbacks(u64 a) {
  order = 0;
  __try { step(1); TestCall(catching, a); step(9); } __except (step(4), 1) { step(6); }
  return order;
}
LOCAL int mend(POINTERS *p, volatile int *there) {
  *(u64 *)(p->context + 0x80) = (u64)there; order++; return -1;  /* RCX, the argument of load */
}
EXPORT int continued(u64 a) {
  volatile int there = 77; order = 0;
  __try { return load((int *)a); } __except (mend(GetExceptionInformation(), &there)) { return -1; }
}
EXPORT int not_continuable(u64 a) {
  __try {
    __try { ExRaiseStatus(0xC0000001); } __except (GetExceptionCode() == (int)0xC0000001 ? -1 : 0) { return -9; }
  } __except (code = GetExceptionCode(), 1) { return -1; }
  return 0;
}
EXPORT int own_record(u64 a) {
  RECORD r; for (unsigned i = 0; i < sizeof r; i++) ((volatile char *)&r)[i] = 0;
  r.code = 0xE0001234; r.count = 2; r.info[1] = a;
  __try { RtlRaiseException(&r); } __except (keep(GetExceptionCode(), GetExceptionInformation())) { return -1; }
  return 0;
}
EXPORT int own_continued(u64 a) {
  RECORD r; for (unsigned i = 0; i < sizeof r; i++) ((volatile char *)&r)[i] = 0;
  r.code = 0xE0001234;
  __try { RtlRaiseException(&r); return 5; } __except (-1) { return -1; }
}
LOCAL int bad_filter(u64 a) { return load((int *)a); }
LOCAL int inner_filter(u64 a) { __try { return bad_filter(a) + 1; } __except (step(2), 1) { step(3); return 1; } }
EXPORT int exception_in_filter(u64 a) {
  order = 0;
  __try { step(1); load((int *)a); } __except (inner_filter(a)) { step(4); }
  return order;
}
EXPORT int collided(u64 a) {
  order = 0;
  __try {
    __try {
      __try { step(1); load((int *)a); }
      __finally { step(2); ExRaiseStatus(0xC00000AA); step(9); }
    } __finally { step(4); }
  } __except (code = GetExceptionCode(), code == (int)0xC00000AA ? (step(3), 1) : (order == 1 || order == 11 ? 1 : 0)) { step(5); }
  return order;
}
EXPORT int leave_try(u64 a) {
  order = 0;
  for (int i = 0; i < 3; i++) {
    __try { step(1); if (i == (int)a) break; load((int *)&order); } __finally { step(2); }
  }
  return order;
}
EXPORT int many_values(u64 a) {
  u64 b = a * 3, c = a ^ 5, d = a + 9, e = a | 64, f = a - 1, g = a * a;
  double x = (double)a, y = x * 2.5;
  __try { b += TestCall(faulting, 0); } __except (1) { b += 1; }
  return (int)(b + c + d + e + f + g + (u64)(x + y));
}
LOCAL int third(u64 a) { TestStack(); return 1; }
LOCAL int second(u64 a) { return TestCall(third, a) + 1; }
EXPORT int stack(u64 a) { return second(a) + 1; }
EXPORT int unhandled(u64 a) { return load((int *)a) + 1; }
EXPORT int unhandled_status(u64 a) { ExRaiseStatus((int)a); return 1; }
EXPORT int fast_fail(u64 a) { __asm__ volatile("int $0x29" : : "c"(3)); return 0; }
EXPORT int guarded_store(u64 a) { __try { return store((int *)a); } __except (1) { return -1; } }
EXPORT int recurse(u64 a) {
  volatile char room[512]; room[a & 511] = 1;
  __try { return recurse(a + 1) + room[3]; } __except (1) { return -1; }
}
EXPORT int captured(u64 a) {
  static unsigned char context[0x4d0] __attribute__((aligned(16)));
  RtlCaptureContext(context);
  u64 rip = *(u64 *)(context + 0xf8), rsp = *(u64 *)(context + 0x98);
  return rip > (u64)captured && rip < (u64)captured + 200 && rsp - (u64)__builtin_frame_address(0) + 0x1000 < 0x2000;
}
EXPORT int preserves(u64 a) { __asm__ volatile("mov $1, %%ebx\n pcmpeqd %%xmm7, %%xmm7" : : : "memory"); return 3; }
__attribute__((naked)) EXPORT int smashes(u64 a) { __asm__ volatile("pop %rax\n push %rax\n push %rax\n mov %rax, (%rsp)\n lea 8(%rsp), %rsp\n ret $16"); }
EXPORT int wild_jump(u64 a) { return jump(a); }

/* What the compiler's own library links into a driver that is built with /GS: a cookie check in front of the C handler. */
int gs_checks;
EXPORT int __GSHandlerCheck_SEH(RECORD *record, void *frame, void *context, DISPATCHER *dispatcher) {
  gs_checks++;
  return __C_specific_handler(record, frame, context, dispatcher);
}
EXPORT int checks(u64 a) { return gs_checks; }
int gs_function(int *p);
__asm__(
  ".text\n .globl gs_function\n .def gs_function; .scl 2; .type 32; .endef\n"
  "gs_function:\n .seh_proc gs_function\n subq $40, %rsp\n .seh_stackalloc 40\n .seh_endprologue\n"
  "gs_begin: movl (%rcx), %eax\n nop\n gs_end: addq $40, %rsp\n ret\n"
  "gs_target: movl $-6, %eax\n addq $40, %rsp\n ret\n"
  ".seh_handler __GSHandlerCheck_SEH, @except, @unwind\n .seh_handlerdata\n"
  ".long 1, gs_begin@IMGREL, gs_end@IMGREL, 1, gs_target@IMGREL, 0x20\n .text\n .seh_endproc\n");
EXPORT int with_cookie(u64 a) { return gs_function((int *)a); }
__attribute__((section("INIT"))) EXPORT int in_init(u64 a) { return 4; }
__attribute__((section("INIT"))) int DriverEntry(void *driver, void *path) { TestStack(); return 0; }
