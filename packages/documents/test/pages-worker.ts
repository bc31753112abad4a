import { parentPort } from "node:worker_threads";
import { BenchtopError } from "@benchtop/protocol";
import { compare, renderPage } from "../src/pages/index.ts";
import { refusedWith } from "./refused.ts";

/** Reads hostile PDFs in every way there is, and says what came of each. */
parentPort?.on("message", (bytes: Uint8Array) => {
  const refused = refusedWith(() => {
    const { pages } = compare({ before: null, after: bytes });
    compare({ before: bytes, after: bytes });
    if (pages.length === 0) return;
    try {
      renderPage({ bytes, page: 1, width: 900 });
    } catch (thrown) {
      if (!BenchtopError.is(thrown)) throw thrown;
    }
  });
  parentPort?.postMessage(refused ?? "shown", []);
});
