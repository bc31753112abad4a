import type { Json } from "@benchtop/protocol";

const longest = 4000;

/** What a tool was asked with: each argument under its name, and text as text instead of one escaped line. */
export function ArgumentsView(props: { readonly value: Json }) {
  const { value } = props;
  const entries =
    typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : undefined;
  if (entries === undefined || !entries.some(([, each]) => typeof each === "string" && each.includes("\n"))) {
    return <TextBlock text={JSON.stringify(value, null, 2)} />;
  }
  return (
    <dl className="flex flex-col gap-1.5">
      {entries.map(([name, each]) => (
        <div key={name}>
          <dt className="font-mono text-xs text-faint">{name}</dt>
          <dd>
            <TextBlock text={typeof each === "string" ? each : JSON.stringify(each, null, 2)} />
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Text as it is, in a box that scrolls; what is very long is cut with a word about it. */
export function TextBlock(props: { readonly text: string; readonly limit?: number }) {
  const { text, limit = longest } = props;
  return (
    <pre
      tabIndex={0}
      className="mt-0.5 max-h-72 overflow-auto rounded-md border border-line bg-sunken p-2 text-xs wrap-anywhere whitespace-pre-wrap"
    >
      {text.length > limit ? `${text.slice(0, limit)}\n… ${text.length - limit} more characters` : text}
    </pre>
  );
}
