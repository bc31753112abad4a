import { checkpointSuite } from "./checkpoints.ts";
import { followerSuite } from "./followers.ts";
import { recordSuite } from "./records.ts";
import type { JournalSubject } from "./subject.ts";
import { suspensionSuite } from "./suspension.ts";
import { tokenSuite } from "./tokens.ts";
import { writerSuite } from "./writers.ts";

export * from "./events.ts";
export { suspended } from "./suspension.ts";
export { allEvents, collect, hasCode, rejectsWith, type JournalSubject, type Kept } from "./subject.ts";

/** What every journal has to do, and the records, sessions and checkpoints that are kept with it. */
export function journalSuite(subject: JournalSubject): void {
  writerSuite(subject);
  followerSuite(subject);
  suspensionSuite(subject);
  recordSuite(subject);
  tokenSuite(subject);
  checkpointSuite(subject);
}
