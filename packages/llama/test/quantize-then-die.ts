/** A process that starts to quantize and is killed in the middle. Prints the process id of the process that it started. */
import { quantize } from "../src/quantize/quantize.ts";
import { childrenOf } from "./quantize-folder.ts";

const [sourcePath = "", outputPath = ""] = process.argv.slice(2);
await quantize(
  { sourcePath, outputPath, type: "Q6_K" },
  {
    onProgress({ phase }) {
      if (phase !== "quantizing") return;
      process.stdout.write(String(childrenOf(process.pid, "quantize-process.ts")[0]), () =>
        process.kill(process.pid, "SIGKILL"),
      );
    },
  },
  new AbortController().signal,
);
