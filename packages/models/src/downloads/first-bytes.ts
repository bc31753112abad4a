import type { BenchtopError } from "@benchtop/protocol";
import { refusal } from "../registry/refusals.ts";

/** Proxies, logins and errors come as pages, whatever the status says. */
export function checkType(answer: Response): void {
  const type = answer.headers.get("content-type") ?? "";
  if (/^\s*(?:text\/html|application\/xhtml\+xml)\b/i.test(type)) throw noModel("a web page (an error, or a login)");
  if (/^\s*(?:application\/(?:json|problem\+json|xml)|text\/xml)\b/i.test(type))
    throw noModel("a text, most likely an error");
}

/** The body, of which the first piece is long enough to tell what it is. */
export async function* firstBytes(answer: Response): AsyncGenerator<Uint8Array> {
  let waiting: Buffer | undefined = Buffer.alloc(0);
  if (answer.body) {
    for await (const chunk of answer.body as ReadableStream<Uint8Array>) {
      if (waiting === undefined) yield chunk;
      else {
        waiting = Buffer.concat([waiting, chunk]);
        if (waiting.length < tellingBytes) continue;
        yield waiting;
        waiting = undefined;
      }
    }
  }
  if (waiting !== undefined && waiting.length > 0) yield waiting;
}

const tellingBytes = 64;

/** Throws unless a file begins as a GGUF file does, saying what it is instead as far as that shows. */
export function checkFirstBytes(bytes: Uint8Array, expected: number | null): void {
  const text = Buffer.from(bytes.subarray(0, 512)).toString("latin1");
  if (text.startsWith("GGUF")) return;
  if (text.startsWith("version https://git-lfs")) {
    throw noModel("a pointer of Git LFS, which only names the file: the server keeps no large files");
  }
  if (/^\s*<(?:!doctype|html|head|body|!--)/i.test(text)) throw noModel("a web page (an error, or a login)");
  if (/^\s*<\?xml/i.test(text)) throw noModel("an error of its storage");
  if (/^\s*[{[]/.test(text)) throw noModel("a text in JSON, most likely an error");
  throw noModel(expected !== null && bytes.length < 4 ? "an empty or cut-off file" : "a file of another kind, no GGUF");
}

function noModel(what: string): BenchtopError {
  return refusal("PROVIDER_UNAVAILABLE", `In place of the model, the server gave ${what}. Nothing was installed.`, {
    retryable: false,
  });
}
