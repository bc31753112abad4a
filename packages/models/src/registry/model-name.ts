import { BenchtopError } from "@benchtop/protocol";

/**
 * What an installed model is called: in references (`benchtop/NAME`), on the command line and as a folder. So there is nothing in it
 * that a shell, a URL or a file system reads as anything else.
 */
const modelName = /^[a-z0-9](?:[a-z0-9._-]{0,98}[a-z0-9])?$/;

/** Throws `VALIDATION_FAILED`. */
export function checkModelName(name: string): string {
  if (modelName.test(name)) return name;
  throw new BenchtopError(
    "VALIDATION_FAILED",
    "A model's name has lower-case letters, digits, dots, dashes and underscores, 100 at most, and begins and ends with a letter or digit.",
    { phase: "settings" },
  );
}

/** The name that is nearest to a text: `Qwen2.5:7B Instruct` becomes `qwen2.5-7b-instruct`. */
export function modelNameFrom(text: string): string {
  const name = text
    .normalize("NFKD")
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, "-")
    .slice(0, 100)
    .replaceAll(/^[^a-z0-9]+|[^a-z0-9]+$/g, "");
  return name === "" ? "model" : name;
}

/** Windows gives these names to devices, whatever follows a dot. */
const deviceName = /^(?:con|prn|aux|nul|com\d|lpt\d)(?:\.|$)/;

/** The folders that a model may lie in, the best first. Models come and go; whichever is free is taken. */
export function* foldersFor(name: string): Generator<string> {
  const first = deviceName.test(name) ? `model-${name}` : name;
  yield first;
  for (let number = 2; ; number++) yield `${first}-${number}`;
}

/**
 * The name that a file is given in the folder of its model. What follows a prefix in the name of a part
 * (`-00001-of-00003.gguf`) has to stay, since llama.cpp finds the others by it.
 */
export function fileNameFrom(path: string): string {
  const base = path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
  const [, stem = base, part = ""] = /^(.*?)(-\d{5}-of-\d{5})?\.gguf$/i.exec(base) ?? [];
  const prefix = stem
    .normalize("NFKD")
    .replaceAll(/[^A-Za-z0-9._+-]+/g, "-")
    .slice(0, 150)
    .replaceAll(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "");
  return `${prefix === "" || deviceName.test(prefix.toLowerCase()) ? "model" : prefix}${part}.gguf`;
}
