import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { Button } from "../components/button.tsx";
import { useCopy } from "../components/copy-text.tsx";
import { Segmented } from "../components/segmented.tsx";
import { useIdentity } from "../identity/identity.ts";
import type { ApiOperation } from "./document.ts";
import { asCurl, asJsonRpc, asTypeScript, type Input } from "./request.ts";

type Language = "curl" | "typescript" | "json-rpc";

/** The same call for a shell, for a program, and as a message of JSON-RPC. A token is named, never shown. */
export function Snippets(props: { readonly operation: ApiOperation; readonly input: Input }) {
  const { operation, input } = props;
  const [language, setLanguage] = useState<Language>("curl");
  const identity = useIdentity();
  const origin = {
    url: location.origin,
    workspace: identity === undefined || identity.workspaceId === "default" ? undefined : identity.workspaceId,
  };
  const message = asJsonRpc(operation, input);
  const shown = message === undefined && language === "json-rpc" ? "curl" : language;
  const text =
    shown === "typescript"
      ? asTypeScript(operation, input, origin)
      : shown === "json-rpc"
        ? (message ?? "")
        : asCurl(operation, input, origin);
  const { copied, copy } = useCopy(text);
  return (
    <section aria-label="As code">
      <div className="mb-1.5 flex flex-wrap items-center justify-between gap-2">
        <Segmented
          label="As code"
          value={shown}
          onChange={setLanguage}
          options={[
            { value: "curl", label: "curl" },
            { value: "typescript", label: "TypeScript" },
            ...(message === undefined ? [] : [{ value: "json-rpc" as const, label: "JSON-RPC" }]),
          ]}
        />
        <Button
          size="small"
          tone="quiet"
          icon={copied ? <Check size={13} aria-hidden className="text-good" /> : <Copy size={13} aria-hidden />}
          onClick={copy}
        >
          {copied ? "Copied" : "Copy"}
        </Button>
      </div>
      <pre
        tabIndex={0}
        className="max-h-72 overflow-auto rounded-lg border border-line bg-sunken p-3 text-xs leading-5 whitespace-pre"
      >
        {text}
      </pre>
    </section>
  );
}
