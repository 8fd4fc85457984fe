/*
 * Which call fails: the test says so in the page, which it can change at any time.
 */
#include "tests/fault/preload/layer.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct fault_page *page;
static uintptr_t program_begin, program_end;

struct fault_page *plan_page(void)
{
    return page;
}

/* The first object that is visited is the program. */
static int note_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    program_begin = UINTPTR_MAX;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        uintptr_t begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;

        if (info->dlpi_phdr[i].p_type != PT_LOAD)
            continue;
        program_begin = begin < program_begin ? begin : program_begin;
        if (begin + info->dlpi_phdr[i].p_memsz > program_end)
            program_end = begin + info->dlpi_phdr[i].p_memsz;
    }
    return 1;
}

__attribute__((constructor)) static void plan_open(void)
{
    const char *path = getenv("TFS_FAULT_PAGE");
    void *memory;
    int fd;

    (void)dl_iterate_phdr(note_program, NULL);
    if (!path)
        return;
    fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    memory = fd < 0
                 ? MAP_FAILED
                 : mmap(NULL, sizeof(struct fault_page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) {
        perror(path);
        _exit(99);
    }
    (void)syscall(SYS_close, fd);
    page = memory;
}

static bool is_about(uint64_t planned, enum fault_kind kind)
{
    return planned == kind || (planned == fault_change &&
                               (kind == fault_write || kind == fault_size || kind == fault_name));
}

bool plan_fails(enum fault_kind kind, enum fault_part part)
{
    uint64_t seen, first, every;

    if (!page || !page->armed || !is_about(page->kind, kind) ||
        (page->part != fault_anywhere && page->part != part))
        return false;
    seen = ++page->seen;
    first = page->first;
    every = page->every;
    if (seen != first && (every == 0 || seen < first || (seen - first) % every != 0))
        return false;
    page->failed++;
    errno = (int)page->error;
    return true;
}

bool plan_fails_for(enum fault_kind kind, const void *caller)
{
    uintptr_t at = (uintptr_t)caller;

    if (!page || !page->armed)
        return false;
    return at >= program_begin && at < program_end && plan_fails(kind, fault_anywhere);
}
