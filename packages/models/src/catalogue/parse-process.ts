/** A process that parses the sources it is sent, answers, and ends. */
import { BenchtopError } from "@benchtop/protocol";
import { parseSources } from "./parse.ts";
import type { ParseReply, Sources } from "./sources.ts";

process.once("message", (sources: Sources) => {
  void reply(sources).then((answer) => process.send?.(answer, () => process.disconnect()));
});

async function reply(sources: Sources): Promise<ParseReply> {
  try {
    return { catalogue: await parseSources(sources) };
  } catch (thrown) {
    const { message, info } = BenchtopError.from(thrown);
    return { failure: { message, ...info } };
  }
}
