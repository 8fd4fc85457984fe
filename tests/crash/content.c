/*
 * Content that says which file, version and place it belongs to.
 */
#include "tests/crash/crash.h"

#include <stdio.h>
#include <string.h>

enum { word_bytes = 8, header_words = 4 };

static const uint64_t magic = 0x74666b6c6f636264ull;

/* SplitMix64's output function: Steele, Lea, Flood, 2014. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

/* Files of odd number are compressible, so that every codec has something to do. */
static uint64_t word_at(uint64_t file, uint64_t version, uint64_t index)
{
    const uint64_t header[header_words] = {magic, file, version, index * word_bytes};
    uint64_t place = index % (crash_block / word_bytes);
    uint64_t noise;

    if (place < header_words)
        return header[place];
    noise = mix(mix(mix(file) + version) + index);
    return file % 2 ? noise & 0x0707070707070707ull : noise;
}

void crash_content(uint64_t file, uint64_t version, uint64_t offset, void *buffer, size_t size)
{
    uint8_t *bytes = buffer;

    for (size_t done = 0; done < size;) {
        uint64_t at = offset + done;
        uint64_t word = word_at(file, version, at / word_bytes);
        size_t skip = at % word_bytes;
        size_t count = word_bytes - skip < size - done ? word_bytes - skip : size - done;

        memcpy(bytes + done, (const uint8_t *)&word + skip, count);
        done += count;
    }
}

size_t crash_size(uint64_t file, uint64_t version)
{
    uint64_t drawn = mix(mix(file + 77) + version);

    if ((file & ~0xffull) == crash_file_step)
        return drawn % 5 ? drawn % 3000 : drawn % 20000;
    return 1 + drawn % (drawn % 4 ? 600000 : 5 << 20);
}

bool crash_is_hole(uint64_t version)
{
    return version % 4 == 3;
}

void crash_block_content(uint64_t file, uint64_t version, uint64_t index, uint8_t *ret)
{
    if (version == 0 || crash_is_hole(version))
        memset(ret, 0, crash_block);
    else
        crash_content(file, version, index * crash_block, ret, crash_block);
}

uint64_t crash_shared_file(uint64_t generation)
{
    return generation << 16 | crash_file_shared | generation % 2;
}

void crash_shared_name(uint64_t generation, uint64_t renames, char ret[crash_name_bytes])
{
    (void)snprintf(ret, crash_name_bytes, "shared-%llu.%c", (unsigned long long)generation,
                   renames % 2 ? 'b' : 'a');
}
