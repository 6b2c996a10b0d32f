/**
 * Longest write to a new file in one system call: the kernel allocates memory in runs as long as the write, and where
 * no such run is free it moves pages away to make one. Writes of 4 MiB then cost nine times as much as those of half a
 * megabyte.
 */
export const longestWriteBytes = 512 * 1024;
