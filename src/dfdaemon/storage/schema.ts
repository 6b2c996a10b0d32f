/** Versions of the metadata schema. A step never changes after a release; new ones are appended. */
import type { DatabaseSync } from 'node:sqlite';
import { DragonflyError } from '../../core/errors.ts';

const steps: readonly string[] = [
  `CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
   CREATE TABLE task (
     id TEXT PRIMARY KEY,
     url TEXT NOT NULL,
     tag TEXT,
     application TEXT,
     digest TEXT,
     header TEXT,
     responseHeader TEXT,
     contentLength INTEGER,
     pieceLength INTEGER,
     state TEXT NOT NULL CHECK (state IN ('running', 'finished', 'failed')),
     synced INTEGER NOT NULL,
     persistent INTEGER NOT NULL,
     linkStamp TEXT,
     createdMs INTEGER NOT NULL,
     updatedMs INTEGER NOT NULL,
     prefetchedMs INTEGER,
     finishedMs INTEGER,
     failedMs INTEGER,
     lastUsedMs INTEGER NOT NULL,
     uploadedCount INTEGER NOT NULL
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE piece (
     taskId TEXT NOT NULL,
     number INTEGER NOT NULL,
     offset INTEGER NOT NULL,
     length INTEGER NOT NULL,
     crc32 INTEGER NOT NULL,
     source TEXT NOT NULL,
     costMs INTEGER NOT NULL,
     createdMs INTEGER NOT NULL,
     PRIMARY KEY (taskId, number)
   ) STRICT, WITHOUT ROWID;`,
  'ALTER TABLE task ADD COLUMN stamp TEXT;',
  'ALTER TABLE task ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;',
  'ALTER TABLE task ADD COLUMN kept TEXT;',
];

export const schemaVersion = steps.length;

/** Brings the database to this program's version, with each step in its own transaction. */
export function migrate(db: DatabaseSync): void {
  const version = Number(db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
  if (version > schemaVersion) {
    throw new DragonflyError(
      'STORAGE',
      `the storage metadata has version ${version}; this program knows ${schemaVersion}`,
      {
        hint: 'It was written by a newer release: run that release, or start with an empty storage directory.',
      },
    );
  }
  for (const [index, step] of steps.entries()) {
    if (index < version) continue;
    db.exec(`BEGIN; ${step} PRAGMA user_version = ${index + 1}; COMMIT`);
  }
}
