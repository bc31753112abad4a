export { Blobs, type BlobRef } from "./blobs.ts";
export { syncFolder } from "./sync-folder.ts";
export { isUniqueViolation } from "./unique-violation.ts";
export { DurableJournal } from "./journal/journal.ts";
export type { StoredEvent } from "./journal/tail.ts";
export type { Verification } from "./journal/verify.ts";
export { Ledger, type LedgerFilter, type LedgerPage } from "./ledger/ledger.ts";
export type * from "./schema.ts";
export { openStore, type Store, type StoreOptions } from "./store.ts";
