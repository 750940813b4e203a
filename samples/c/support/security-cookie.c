/*
 * Stack protection: what -fstack-protector-strong calls, and the load configuration that tells the loader where the
 * cookie is. The loader gives the cookie a random value; until then the default protects.
 */
#include <ndis.h>

#define DEFAULT_SECURITY_COOKIE 0x00002B992DDFA232ULL

ULONG_PTR __security_cookie = DEFAULT_SECURITY_COOKIE;

/*
 * The argument is in RCX and no other register may change. A wrong cookie, or one with any of its upper 16 bits set,
 * ends in the "stack cookie" fast failure: int 29h with RCX = 2.
 */
__attribute__((naked)) VOID __security_check_cookie(ULONG_PTR Cookie __attribute__((unused)))
{
    __asm__("cmpq __security_cookie(%rip), %rcx\n\t"
            "jne 1f\n\t"
            "rolq $16, %rcx\n\t"
            "testw $-1, %cx\n\t"
            "jne 1f\n\t"
            "ret\n"
            "1:\n\t"
            "movl $2, %ecx\n\t"
            "int $0x29");
}

/* IMAGE_LOAD_CONFIG_DIRECTORY64 as far as the SafeSEH members, which x64 leaves zero. */
const struct {
    ULONG Size;
    ULONG TimeDateStamp;
    USHORT MajorVersion;
    USHORT MinorVersion;
    ULONG GlobalFlagsClear;
    ULONG GlobalFlagsSet;
    ULONG CriticalSectionDefaultTimeout;
    ULONG64 DeCommitFreeBlockThreshold;
    ULONG64 DeCommitTotalFreeThreshold;
    ULONG64 LockPrefixTable;
    ULONG64 MaximumAllocationSize;
    ULONG64 VirtualMemoryThreshold;
    ULONG64 ProcessAffinityMask;
    ULONG ProcessHeapFlags;
    USHORT CsdVersion;
    USHORT DependentLoadFlags;
    ULONG64 EditList;
    ULONG_PTR *SecurityCookie;
    ULONG64 SEHandlerTable;
    ULONG64 SEHandlerCount;
} _load_config_used = {
    .Size = sizeof(_load_config_used),
    .SecurityCookie = &__security_cookie,
};
