import { Link } from "@tanstack/react-router";
import { Search } from "lucide-react";
import { useMemo, useState } from "react";
import { classes } from "../components/classes.ts";
import type { ApiOperation } from "./document.ts";
import { Method } from "./method.tsx";

/** Every operation by what it is about; a few letters of its name, path or description narrow the list. */
export function OperationList(props: {
  readonly operations: readonly ApiOperation[];
  readonly selected: string | undefined;
}) {
  const [text, setText] = useState("");
  const groups = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const found = props.operations.filter((operation) => {
      const haystack =
        `${operation.id} ${operation.rpc} ${operation.path} ${operation.summary} ${operation.permission}`.toLowerCase();
      return words.every((word) => haystack.includes(word));
    });
    return [...Map.groupBy(found, ({ group }) => group)];
  }, [props.operations, text]);
  return (
    <nav aria-label="Operations" className="flex min-h-0 flex-1 flex-col">
      <div className="relative shrink-0 p-2.5 pb-2">
        <Search size={14} aria-hidden className="absolute top-4.75 left-5 text-faint" />
        <input
          type="search"
          className="field pl-8!"
          aria-label="Find an operation"
          placeholder="Find an operation…"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </div>
      <div className="min-h-0 flex-1 overflow-y-auto px-1.5 pb-3">
        {groups.map(([group, operations]) => (
          <section key={group} aria-label={group}>
            <h2 className="px-2 pt-2.5 pb-1 text-xs font-semibold text-faint">{titleOf(group)}</h2>
            <ul>
              {operations.map((operation) => (
                <li key={operation.id}>
                  <Link
                    to="/api"
                    search={{ operation: operation.id }}
                    aria-current={operation.id === props.selected ? "page" : undefined}
                    title={operation.summary}
                    aria-label={`${operation.method} ${operation.id}`}
                    className={classes(
                      "flex h-7 items-center gap-2 rounded-md px-2 text-sm focus-visible:-outline-offset-2",
                      operation.id === props.selected
                        ? "bg-selected text-ink"
                        : "text-muted hover:bg-hover hover:text-ink",
                    )}
                  >
                    <Method method={operation.method} className="w-11 shrink-0" />
                    <span className="min-w-0 truncate font-medium">{operation.id.slice(group.length + 1)}</span>
                  </Link>
                </li>
              ))}
            </ul>
          </section>
        ))}
        {groups.length === 0 && <p className="px-2.5 py-6 text-center text-muted">No operation has these words.</p>}
      </div>
    </nav>
  );
}

/** `signIn` as “Sign in”. */
function titleOf(group: string): string {
  const words = group.replaceAll(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
