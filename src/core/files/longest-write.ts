/**
 * No system call should write more of a new file at once: the kernel takes memory in runs as long as the write, and where it has no run
 * of that length it moves pages out of the way for one. Writes of 4 MiB cost nine times as much as those of half a megabyte there.
 */
export const longestWriteBytes = 512 * 1024;
