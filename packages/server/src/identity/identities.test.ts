import { describe } from "vitest";
import { identitySuite } from "../../test/identity/suite.ts";
import { startTestDaemon, unlimited } from "../../test/test-daemon.ts";

describe("identities on SQLite", () => {
  identitySuite(() => startTestDaemon({ config: { rateLimits: unlimited } }));
});
