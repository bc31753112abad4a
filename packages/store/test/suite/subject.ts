import { mkdtemp, rm } from "node:fs/promises";
import { openStore, type Store, type StoreOptions } from "../../src/store.ts";

/** What the suite runs on. `test` is that of any test runner; the suite itself needs none. */
export interface SuiteSubject {
  readonly test: (name: string, body: () => Promise<void>) => void;
  /** Options for data that nobody else uses; called once a test. */
  readonly place: () => Promise<StoreOptions>;
}

/** Opens stores on one fresh place (several, as several processes would), and closes them whatever happens. */
export async function withStores(
  subject: SuiteSubject,
  body: (open: () => Promise<Store>, options: StoreOptions) => Promise<void>,
): Promise<void> {
  const options = await subject.place();
  const opened: Store[] = [];
  const open = async () => {
    const store = await openStore(options);
    opened.push(store);
    return store;
  };
  try {
    await body(open, options);
  } finally {
    await Promise.allSettled(opened.map((store) => store.close()));
  }
}

/** A new folder under the system's temporary one. */
export function temporaryHome(): Promise<string> {
  return mkdtemp(`${process.env["TMPDIR"] ?? "/tmp"}/benchtop-store-`);
}

export function removeHome(home: string): Promise<void> {
  return rm(home, { recursive: true, force: true });
}
