/**
 * Kills a storing process at many random instants and verifies the store after each.
 *
 *   node bench/transport/crash-soak.ts [LIVES=200] [SEED]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crashOnce, type Acknowledged } from '../../test/storage/crash-harness.ts';

const lives = Number(process.argv[2] ?? 200);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 1e6));
const directory = mkdtempSync(join(tmpdir(), 'dragonfly-soak-'));
const acknowledged: Acknowledged = new Map();
let acknowledgedPieces = 0;
let storedPieces = 0;
try {
  for (let life = 0; life < lives; life += 1) {
    const report = await crashOnce(directory, seed + life, acknowledged);
    acknowledgedPieces += report.acknowledgedPieces;
    storedPieces += report.storedPieces;
  }
  console.log(
    `seed ${seed}: ${lives} of ${lives} kills right; ${storedPieces} pieces checked, ${acknowledgedPieces} of them owed`,
  );
} finally {
  rmSync(directory, { recursive: true, force: true });
}
