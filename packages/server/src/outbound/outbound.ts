import { readFile } from "node:fs/promises";
import { BenchtopError } from "@benchtop/protocol";

/** How requests to model providers leave this network. Explicit configuration: nothing of it is read from `HTTPS_PROXY` and its like. */
export interface OutboundOptions {
  /** A file of certificate authorities (PEM), trusted beside the ones that come with Node. */
  readonly caFile?: string;
  /** `http://` or `https://` proxy, with credentials in the URL if it wants any. Never used for loopback. */
  readonly proxy?: string;
}

/** The configuration as the egress gate takes it. Throws `VALIDATION_FAILED` or `FILE_READ_FAILED` in words for the operator. */
export async function outboundConnections({
  caFile,
  proxy,
}: OutboundOptions): Promise<{ ca?: string; proxy?: string }> {
  return {
    ...(caFile !== undefined && { ca: await certificates(caFile) }),
    ...(proxy !== undefined && { proxy: proxyUrl(proxy) }),
  };
}

async function certificates(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new BenchtopError("FILE_READ_FAILED", `The certificate authorities in ${file} cannot be read.`, {
      phase: "settings",
      cause,
    });
  }
  if (/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.test(text)) return text;
  throw new BenchtopError("VALIDATION_FAILED", `${file} holds no certificate in PEM form.`, { phase: "settings" });
}

/** The URL itself is never repeated: it may hold a password. */
function proxyUrl(text: string): string {
  const url = URL.parse(text);
  if (url !== null && ["http:", "https:"].includes(url.protocol) && url.pathname === "/" && url.search === "")
    return text;
  throw new BenchtopError("VALIDATION_FAILED", "The proxy is no URL such as http://proxy.example:3128.", {
    phase: "settings",
  });
}
