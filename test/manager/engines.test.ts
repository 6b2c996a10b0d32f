/** One suite, three engines. */
// needs: postgres, initdb, mariadbd, mariadb-install-db
import { after, before, describe } from 'node:test';
import { engineKinds, type TestEngine } from './support/engines.ts';
import { changeFeedSuite } from './support/change-feed-suite.ts';
import { membershipSuite } from './support/membership-suite.ts';
import { restSuite } from './support/rest-suite.ts';

for (const kind of engineKinds) {
  describe(`on ${kind.name}`, { skip: kind.missing }, () => {
    let engine: TestEngine;
    before(async () => {
      engine = await kind.start();
    });
    after(() => engine[Symbol.asyncDispose]());
    const newDatabase = () => engine.newDatabase();
    changeFeedSuite(newDatabase);
    membershipSuite(newDatabase);
    restSuite(newDatabase);
  });
}
