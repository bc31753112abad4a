import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/**
 * Lets node-llama-cpp find its packages with GPU builds in a folder of the operator's where they are not installed beside it,
 * and says whether there is one for this machine. Where there is none, the processor's build is loaded without being tried in
 * another process before: that takes longer than everything else, and is for builds that may not fit the machine's drivers.
 */
export function offerGpuPackages(packagesDir: string | undefined): boolean {
  const elsewhere = packagesDir === undefined ? undefined : pathToFileURL(join(packagesDir, "index.js")).href;
  let found = false;
  registerHooks({
    resolve(specifier, context, next) {
      if (specifier.startsWith("@node-llama-cpp/") && elsewhere !== undefined) {
        try {
          return next(specifier, context);
        } catch {
          return next(specifier, { ...context, parentURL: elsewhere });
        }
      }
      if (!found && specifier.endsWith("/testBindingBinary.js") && context.parentURL?.includes("node-llama-cpp")) {
        return { url: passes, format: "module", shortCircuit: true };
      }
      return next(specifier, context);
    },
  });
  found = gpuPackages().some((name) => {
    try {
      return import.meta.resolve(name) !== "";
    } catch {
      return false;
    }
  });
  return found;
}

const passes = `data:text/javascript,${encodeURIComponent("export async function testBindingBinary() { return true; }")}`;

function gpuPackages(): string[] {
  const { platform, arch } = process;
  if (platform === "darwin" && arch === "arm64") return ["@node-llama-cpp/mac-arm64-metal"];
  const name = platform === "win32" ? "win" : platform;
  return [`@node-llama-cpp/${name}-${arch}-cuda`, `@node-llama-cpp/${name}-${arch}-vulkan`];
}
