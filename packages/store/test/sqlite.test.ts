import { afterAll, describe, test } from "vitest";
import { removeHome, storeSuite, temporaryHome } from "./suite/index.ts";

describe("a store on SQLite", () => {
  const homes: string[] = [];
  afterAll(() => Promise.all(homes.map(removeHome)));
  storeSuite({
    test,
    async place() {
      const home = await temporaryHome();
      homes.push(home);
      return { home };
    },
  });
});
