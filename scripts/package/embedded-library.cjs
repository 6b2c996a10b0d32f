/**
 * Loads a native library that the executable carries. A file in memory will do for the linker, so that nothing is written where
 * nothing may be written, or where files may not be executed; kernels that refuse it get a file that is removed at once.
 */
const { closeSync, mkdtempSync, rmSync, writeFileSync, writeSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { getRawAsset } = require('node:sea');

const closeOnExec = 1; // MFD_CLOEXEC

exports.embeddedLibrary = (name) => {
  const bytes = new Uint8Array(getRawAsset(`native/${name}.node`));
  const fd = memoryFile();
  if (fd < 0) return fromDisk(bytes);
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    // It stays open: the linker takes a second library at the same path for the first.
    return load(`/proc/self/fd/${fd}`);
  } catch {
    closeSync(fd);
    return fromDisk(bytes);
  }
};

function memoryFile() {
  try {
    const { dlopen } = require('node:ffi');
    const { functions } = dlopen(null, { memfd_create: { arguments: ['string', 'u32'], return: 'i32' } });
    return functions.memfd_create('dragonfly', closeOnExec);
  } catch {
    return -1;
  }
}

function fromDisk(bytes) {
  const directory = mkdtempSync(join(tmpdir(), 'dragonfly-'));
  try {
    const path = join(directory, 'library.node');
    writeFileSync(path, bytes, { mode: 0o700 });
    return load(path);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function load(path) {
  const module = { exports: {} };
  process.dlopen(module, path);
  return module.exports;
}
