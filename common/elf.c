#include "common/elf.h"

#include <elf.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#else
#error "warmpath is built for x86-64 and aarch64"
#endif

#define SEGMENTS_MAX 256
#define BATCH        32 /* dynamic entries read at once */

static bool read_at(struct elf_file file, void *out, size_t n, uint64_t offset)
{
    return file.pread(file.fd, out, n, (off_t)offset) == (ssize_t)n;
}

static bool read_head(struct elf_file file, Elf64_Ehdr *head)
{
    return read_at(file, head, sizeof(*head), 0) && memcmp(head->e_ident, ELFMAG, SELFMAG) == 0 &&
           head->e_ident[EI_CLASS] == ELFCLASS64 && head->e_machine == OUR_MACHINE &&
           head->e_phentsize >= sizeof(Elf64_Phdr) && head->e_phnum <= SEGMENTS_MAX;
}

static bool read_segment(struct elf_file file, const Elf64_Ehdr *head, int i, Elf64_Phdr *out)
{
    return read_at(file, out, sizeof(*out),
                   head->e_phoff + (uint64_t)(unsigned)i * head->e_phentsize);
}

/* The first segment of that type; its index, or -1. */
static int find_segment(struct elf_file file, const Elf64_Ehdr *head, uint32_t type,
                        Elf64_Phdr *out)
{
    for (int i = 0; i < head->e_phnum; i++)
        if (read_segment(file, head, i, out) && out->p_type == type)
            return i;
    return -1;
}

bool elf_interpreter(struct elf_file file, char *out, size_t size)
{
    Elf64_Ehdr head;
    Elf64_Phdr part;
    out[0] = '\0';
    if (!read_head(file, &head))
        return false;
    if (find_segment(file, &head, PT_INTERP, &part) < 0)
        return true;
    size_t len = part.p_filesz < size ? part.p_filesz : size;
    if (len == 0 || !read_at(file, out, len, part.p_offset))
        return false;
    out[len - 1] = '\0';
    return true;
}

/* Where in the file an address of the loaded image comes from; 0 when nowhere. */
static uint64_t file_offset(struct elf_file file, const Elf64_Ehdr *head, uint64_t address)
{
    Elf64_Phdr part;
    for (int i = 0; i < head->e_phnum; i++)
        if (read_segment(file, head, i, &part) && part.p_type == PT_LOAD &&
            address >= part.p_vaddr && address - part.p_vaddr < part.p_filesz)
            return address - part.p_vaddr + part.p_offset;
    return 0;
}

struct entries {
    struct elf_file file;
    uint64_t at, end;
    Elf64_Dyn batch[BATCH];
    int n, next;
};

/* The next dynamic entry, or NULL at the end. */
static const Elf64_Dyn *next_entry(struct entries *e)
{
    if (e->next == e->n) {
        uint64_t rest = e->end - e->at;
        size_t want = rest < sizeof(e->batch) ? (size_t)rest : sizeof(e->batch);
        ssize_t got = want ? e->file.pread(e->file.fd, e->batch, want, (off_t)e->at) : 0;
        e->n = got > 0 ? (int)((size_t)got / sizeof(Elf64_Dyn)) : 0;
        e->next = 0;
        e->at += (uint64_t)e->n * sizeof(Elf64_Dyn);
    }
    if (e->next == e->n || e->batch[e->next].d_tag == DT_NULL)
        return NULL;
    return &e->batch[e->next++];
}

static struct entries entries_of(struct elf_file file, const Elf64_Phdr *dynamic)
{
    struct entries e = {
        .file = file, .at = dynamic->p_offset, .end = dynamic->p_offset + dynamic->p_filesz};
    return e;
}

static bool is_text(int64_t tag)
{
    return tag == ELF_NEEDED || tag == ELF_SONAME || tag == ELF_RPATH || tag == ELF_RUNPATH;
}

bool elf_each_text(struct elf_file file,
                   void (*visit)(void *user, enum elf_tag tag, const char *text), void *user)
{
    Elf64_Ehdr head;
    Elf64_Phdr dynamic;
    char text[ELF_TEXT_MAX];
    uint64_t strings = 0;
    const Elf64_Dyn *entry;
    if (!read_head(file, &head))
        return false;
    if (find_segment(file, &head, PT_DYNAMIC, &dynamic) < 0)
        return true;
    for (struct entries e = entries_of(file, &dynamic); (entry = next_entry(&e));)
        if (entry->d_tag == DT_STRTAB)
            strings = file_offset(file, &head, entry->d_un.d_ptr);
    if (!strings)
        return false;
    for (struct entries e = entries_of(file, &dynamic); (entry = next_entry(&e));) {
        if (!is_text(entry->d_tag))
            continue;
        ssize_t n = file.pread(file.fd, text, sizeof(text), (off_t)(strings + entry->d_un.d_val));
        if (n > 0 && memchr(text, '\0', (size_t)n))
            visit(user, (enum elf_tag)entry->d_tag, text);
    }
    return true;
}
