/* dlopen and dlmopen of libraries in the tree; errors; what else dlopen() takes. */
#include "case.h"

#include <dlfcn.h>
#include <pthread.h>

static int call(void *library, const char *name)
{
    int (*function)(void) = library ? (int (*)(void))dlsym(library, name) : NULL;
    return function ? function() : -1;
}

static void *load_often(void *unused)
{
    (void)unused;
    long sum = 0;
    for (int i = 0; i < 20; i++) {
        void *library = dlopen(at("lib/libouter.so"), RTLD_NOW);
        sum += call(library, "outer");
        dlclose(library);
    }
    return (void *)sum;
}

int main(int argc, char **argv)
{
    tree = argv[argc - 1];
    errno = 0;
    printf("not loaded yet: %d\n", dlopen(at("lib/libname.so"), RTLD_LAZY | RTLD_NOLOAD) == NULL);
    void *name = dlopen(at("lib/libname.so"), RTLD_NOW);
    printf("name %d\n", call(name, "name"));
    printf("loaded: %d\n", dlopen(at("lib/libname.so"), RTLD_LAZY | RTLD_NOLOAD) == name);
    printf("outer %d\n", call(dlopen(at("lib/libouter.so"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND), "outer"));
    printf("again by SONAME: %d\n", dlopen("libdeep.so", RTLD_NOW) != NULL);
    void *space = dlmopen(LM_ID_NEWLM, at("lib/libouter.so"), RTLD_NOW);
    printf("dlmopen %d, another copy: %d\n", call(space, "outer"), dlsym(space, "outer") != dlsym(dlopen(at("lib/libouter.so"), RTLD_NOW), "outer"));
    printf("dlmopen by name: %d\n", dlmopen(LM_ID_BASE, "libm.so.6", RTLD_NOW) != NULL);
    void *missing = dlopen(at("lib/libnone.so"), RTLD_NOW);
    printf("missing: %d %s\n", missing == NULL, strstr(dlerror(), "No such file") ? "No such file" : "?");
    printf("no library: %d\n", dlopen(at("sizes/64KiB"), RTLD_NOW) == NULL);
    printf("the program itself: %d\n", dlsym(dlopen(NULL, RTLD_NOW), "main") == (void *)main || dlopen("", RTLD_NOW) != NULL);
    /* Such a library finds libc's functions before those that were preloaded. */
    static const char *const readers[] = {"lib/libreader.so", "lib/deep/libreader.so"};
    for (int i = 0; i < 2; i++) {
        char copy[64], line[8300];
        snprintf(copy, sizeof(copy), "./reader-%d.so", i);
        snprintf(line, sizeof(line), "cp %s %s", at(readers[i]), copy);
        if (system(line) != 0)
            return 1;
        int (*there)(const char *) = (int (*)(const char *))dlsym(dlopen(at(readers[i]), RTLD_LAZY | RTLD_DEEPBIND), "reader");
        int (*here)(const char *) = (int (*)(const char *))dlsym(dlopen(copy, RTLD_LAZY | RTLD_DEEPBIND), "reader");
        printf("reader %d: %d %d %d\n", i, there(at("text/alpha.txt")), here(at("text/crlf.txt")), here(copy) == 100);
    }
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, load_often, NULL);
    for (int i = 0; i < 4; i++) {
        void *sum;
        pthread_join(threads[i], &sum);
        printf("thread: %ld\n", (long)sum);
    }
    return 0;
}
