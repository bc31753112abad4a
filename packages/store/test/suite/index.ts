import { followerSuite } from "./followers.ts";
import { durableJournalSuite, verificationSuite } from "./journal.ts";
import { localModelSuite } from "./local-models.ts";
import { durableMemorySuite } from "./memory.ts";
import { retentionSuite } from "./retention.ts";
import { rowSuite } from "./rows.ts";
import type { SuiteSubject } from "./subject.ts";
import { takeoverSuite } from "./takeover.ts";
import { upgradeSuite } from "./upgrade.ts";

export { removeHome, temporaryHome, type SuiteSubject } from "./subject.ts";

/** What every store has to do, whatever database it is on. Registers its tests with the runner of the subject. */
export function storeSuite(subject: SuiteSubject): void {
  durableJournalSuite(subject);
  verificationSuite(subject);
  followerSuite(subject);
  takeoverSuite(subject);
  rowSuite(subject);
  retentionSuite(subject);
  durableMemorySuite(subject);
  upgradeSuite(subject);
  localModelSuite(subject);
}
