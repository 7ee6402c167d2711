#include "preload/raw.h"

#include <stdarg.h>

#include "preload/hook.h"

#ifdef __x86_64__

/* Assembly, because what passes must not have a frame of ours: a vfork child would return through
 * it and leave its parent none. The arguments of syscall() lie just as those of a function with
 * seven of them, so both ways are jumps. */
__asm__(".text\n"
        ".globl syscall\n"
        ".type syscall, @function\n"
        "syscall:\n"
        "    endbr64\n"
        "    cmp $512, %rdi\n"
        "    jae raw_syscall\n"
        "    mov %rdi, %rax\n"
        "    shl $4, %rax\n"
        "    lea syscall_doors(%rip), %r10\n"
        "    cmpq $0, (%rax, %r10)\n"
        "    jne syscall_by_hook\n"
        ".hidden raw_syscall\n"
        ".globl raw_syscall\n"
        ".type raw_syscall, @function\n"
        "raw_syscall:\n"
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    mov %rcx, %rdx\n"
        "    mov %r8, %r10\n"
        "    mov %r9, %r8\n"
        "    mov 8(%rsp), %r9\n"
        "    syscall\n"
        "    cmp $-4095, %rax\n"
        "    jae 1f\n"
        "    ret\n"
        "1:  neg %eax\n"
        "    push %rax\n"
        "    call __errno_location@PLT\n"
        "    pop %rcx\n"
        "    mov %ecx, (%rax)\n"
        "    mov $-1, %rax\n"
        "    ret\n"
        ".size syscall, . - syscall\n"
        ".hidden __wrap_syscall\n"
        ".globl __wrap_syscall\n"
        ".set __wrap_syscall, raw_syscall\n");

_Static_assert(RAW_DOORS == 512 && RAW_DOOR_BYTES == 16, "above");

#else

/* Elsewhere libc's own makes the call; a vfork by number is then not possible. */
long raw_syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5)
{
    return REAL(syscall)(number, a0, a1, a2, a3, a4, a5);
}

#define SIX_OF(number)                                                                             \
    long a[6];                                                                                     \
    va_list args;                                                                                  \
    va_start(args, number);                                                                        \
    for (int i = 0; i < 6; i++)                                                                    \
        a[i] = va_arg(args, long);                                                                 \
    va_end(args);

EXPORT long syscall(long number, ...)
{
    SIX_OF(number)
    bool known = (unsigned long)number < RAW_DOORS;
    return (known ? syscall_by_hook : raw_syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    SIX_OF(number)
    return raw_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#endif
