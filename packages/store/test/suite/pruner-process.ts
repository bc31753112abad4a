/**
 * Prunes every run of a store and prints a line at each statement that deletes or marks, for `retention.ts`, which kills it
 * in the middle. Its argument is the store's options.
 */
import { writeSync } from "node:fs";
import { openStore, type StoreOptions } from "../../src/store.ts";

const store = await openStore(JSON.parse(process.argv[2] ?? "{}") as StoreOptions);
const executor = store.db.getExecutor();
const execute = executor.executeQuery.bind(executor);
Object.assign(executor, {
  executeQuery: (...query: Parameters<typeof execute>) => {
    if (/^(delete|update)/.test(query[0].sql)) writeSync(1, "step\n");
    return execute(...query);
  },
});
await store.retention.prune({ workspaceId: null, before: new Date(Date.now() + 60_000).toISOString() });
await store.close();
