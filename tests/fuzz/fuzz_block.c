/* A block file with damage: the input is a row of patches (offset: 2 bytes, value: 1 byte). It
 * verifies if its data and identity are what they were, and never else. */
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "agent/store/block_file.h"
#include "tests/fuzz/fuzz.h"

#define LEN 5000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t file[3 * BLOCK_FILE_ALIGN], damaged[sizeof(file)];
    struct version v = {.bucket = "bucket", .key = "key", .etag = "\"e\"", .size_bytes = LEN};
    v.block_bytes = 65536;
    version_name(&v, "http://host");
    memset(file, 0, sizeof(file));
    for (size_t i = 0; i < LEN; i++)
        file[i] = (uint8_t)(i * 7);
    uint64_t at = block_file_trailer_at(LEN);
    uint32_t trailer = block_file_trailer(&v, 0, XXH3_64bits(file, LEN), file + at);
    size_t len = at + trailer;
    memcpy(damaged, file, sizeof(file));
    for (; size >= 3; data += 3, size -= 3) {
        size_t offset = data[0] | (size_t)data[1] << 8;
        if (offset < sizeof(damaged))
            damaged[offset] = data[2];
        else
            len = offset % sizeof(damaged);
    }
    int fd = memfd_create("block", MFD_CLOEXEC);
    FUZZ_MUST(fd >= 0 && write(fd, damaged, len) == (ssize_t)len);
    bool same = len >= at + trailer && memcmp(file, damaged, LEN) == 0 &&
                memcmp(file + at, damaged + at, trailer) == 0;
    bool fine = block_file_verify(fd, &v, 0, true);
    FUZZ_MUST(!fine || memcmp(file, damaged, LEN) == 0);
    FUZZ_MUST(fine || !same || len != at + trailer);
    close(fd);
    return 0;
}
