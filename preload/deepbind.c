#include "preload/deepbind.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#include "preload/real.h"

#if defined(__x86_64__)
#define RELOCATION_JUMP R_X86_64_JUMP_SLOT
#define RELOCATION_DATA R_X86_64_GLOB_DAT
#elif defined(__aarch64__)
#define RELOCATION_JUMP R_AARCH64_JUMP_SLOT
#define RELOCATION_DATA R_AARCH64_GLOB_DAT
#endif

#define PAGE 4096u

/* What the dynamic section says, as addresses in memory. */
struct tables {
    const Elf64_Sym *symbols;
    const char *strings;
    const Elf64_Rela *jumps, *data;
    size_t n_jumps, n_data;
    uintptr_t relro, relro_end; /* read-only since it was loaded */
};

static uintptr_t address_of(const struct link_map *map, uintptr_t value)
{
    return value < map->l_addr ? value + map->l_addr : value;
}

static void read_dynamic(const struct link_map *map, struct tables *t)
{
    for (const Elf64_Dyn *d = map->l_ld; d->d_tag != DT_NULL; d++) {
        uintptr_t at = address_of(map, d->d_un.d_ptr);
        switch (d->d_tag) {
        case DT_SYMTAB:
            t->symbols = (const Elf64_Sym *)at;
            break;
        case DT_STRTAB:
            t->strings = (const char *)at;
            break;
        case DT_JMPREL:
            t->jumps = (const Elf64_Rela *)at;
            break;
        case DT_RELA:
            t->data = (const Elf64_Rela *)at;
            break;
        case DT_PLTRELSZ:
            t->n_jumps = d->d_un.d_val / sizeof(Elf64_Rela);
            break;
        case DT_RELASZ:
            t->n_data = d->d_un.d_val / sizeof(Elf64_Rela);
            break;
        default:
            break;
        }
    }
}

static int read_segments(struct dl_phdr_info *info, size_t size, void *user)
{
    struct tables *t = user;
    (void)size;
    bool same = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t at = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        same |= info->dlpi_phdr[i].p_type == PT_LOAD && (uintptr_t)t->strings >= at &&
                (uintptr_t)t->strings < at + info->dlpi_phdr[i].p_memsz;
    }
    for (int i = 0; same && i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type != PT_GNU_RELRO)
            continue;
        t->relro = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
        t->relro_end = (t->relro + info->dlpi_phdr[i].p_memsz) & ~(uintptr_t)(PAGE - 1);
        t->relro &= ~(uintptr_t)(PAGE - 1);
    }
    return same;
}

/* Our hook of that name, or NULL. */
static void *hook_named(const char *name)
{
    static void *self;
    Dl_info here, found;
    if (!dladdr((void *)hook_named, &here))
        return NULL;
    if (!self)
        self = REAL(dlopen)(here.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    void *hook = self ? dlsym(self, name) : NULL;
    return hook && dladdr(hook, &found) && found.dli_fbase == here.dli_fbase ? hook : NULL;
}

/* Not resolved yet, or resolved to libc; a function of somebody else's stays. */
static bool is_libcs(const struct link_map *map, void *function)
{
    Dl_info at, libc;
    if (!dladdr(function, &at))
        return false;
    return (uintptr_t)at.dli_fbase == map->l_addr ||
           (dladdr((void *)dlsym(RTLD_NEXT, "__libc_start_main"), &libc) &&
            at.dli_fbase == libc.dli_fbase);
}

static void redirect(const struct link_map *map, const struct tables *t, const Elf64_Rela *r)
{
    unsigned type = (unsigned)ELF64_R_TYPE(r->r_info);
    const Elf64_Sym *symbol = &t->symbols[ELF64_R_SYM(r->r_info)];
    void **slot = (void **)(map->l_addr + r->r_offset);
    if ((type != RELOCATION_JUMP && type != RELOCATION_DATA) || symbol->st_shndx != SHN_UNDEF)
        return;
    void *hook = hook_named(t->strings + symbol->st_name);
    if (!hook || !is_libcs(map, *slot))
        return;
    uintptr_t page = (uintptr_t)slot & ~(uintptr_t)(PAGE - 1);
    bool guarded = page >= t->relro && page < t->relro_end;
    if (guarded && mprotect((void *)page, PAGE, PROT_READ | PROT_WRITE) < 0)
        return;
    *slot = hook;
    if (guarded)
        mprotect((void *)page, PAGE, PROT_READ);
}

static void redirect_all(const struct link_map *map)
{
    struct tables t = {0};
    read_dynamic(map, &t);
    if (!t.symbols || !t.strings)
        return;
    dl_iterate_phdr(read_segments, &t);
    for (size_t i = 0; t.jumps && i < t.n_jumps; i++)
        redirect(map, &t, &t.jumps[i]);
    for (size_t i = 0; t.data && i < t.n_data; i++)
        redirect(map, &t, &t.data[i]);
}

struct link_map *deepbind_mark(void)
{
    struct link_map *map = NULL;
    void *program = REAL(dlopen)(NULL, RTLD_LAZY);
    if (!program || dlinfo(program, RTLD_DI_LINKMAP, &map) < 0)
        return NULL;
    while (map && map->l_next)
        map = map->l_next;
    return map;
}

void deepbind_redirect(struct link_map *mark)
{
    for (struct link_map *map = mark ? mark->l_next : NULL; map; map = map->l_next)
        redirect_all(map);
}
