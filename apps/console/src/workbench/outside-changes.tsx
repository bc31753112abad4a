import type { OutsideChange } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { FolderSync } from "lucide-react";
import { useState } from "react";
import { client, failureOf, type Failure } from "../api/client.ts";
import { query, refreshWorkbench } from "../api/queries.ts";
import { Button } from "../components/button.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { useMay } from "../identity/identity.ts";
import { formatCount } from "../components/format.ts";

const words: Record<OutsideChange["change"], string> = {
  added: "appeared",
  modified: "changed",
  deleted: "disappeared",
  irregular: "is not a plain file",
};

/** Another program changed the published folder: says what, and lets a person take it or put it back. */
export function OutsideChanges(props: { readonly workbenchId: string }) {
  const { workbenchId } = props;
  const changes = useQuery({
    ...query("outsideChanges.list", { workbenchId }),
    refetchOnWindowFocus: true,
    refetchInterval: 30_000,
  });
  const [busy, setBusy] = useState<"adopt" | "revert">();
  const [failure, setFailure] = useState<Failure>();
  const mayResolve = useMay("workbenches:write");
  const items = changes.data?.items ?? [];
  if (items.length === 0) return null;
  const resolve = async (strategy: "adopt" | "revert") => {
    setBusy(strategy);
    setFailure(undefined);
    try {
      await client.call("outsideChanges.resolve", { workbenchId, strategy });
      await refreshWorkbench(workbenchId);
    } catch (thrown) {
      setFailure(failureOf(thrown));
    } finally {
      setBusy(undefined);
    }
  };
  return (
    <div role="status" className="border-b border-draft-line bg-draft-soft px-4 py-2.5">
      <div className="flex flex-wrap items-center gap-x-3 gap-y-2">
        <FolderSync size={15} aria-hidden className="text-draft" />
        <p className="min-w-60 flex-1">
          <span className="font-medium">
            {formatCount(items.length, "published file")} changed outside of Benchtop.
          </span>{" "}
          <span className="text-muted">
            {items
              .slice(0, 3)
              .map((item) => `${item.path} ${words[item.change]}`)
              .join(", ")}
            {items.length > 3 && ` and ${items.length - 3} more`}.
          </span>
        </p>
        {mayResolve && (
          <>
            <Button
              size="small"
              busy={busy === "adopt"}
              tip="The files become what lies in the folder now. A checkpoint is made first."
              onClick={() => void resolve("adopt")}
            >
              Take the changes
            </Button>
            <Button
              size="small"
              busy={busy === "revert"}
              tip="The folder becomes what was published. A checkpoint is made first."
              onClick={() => void resolve("revert")}
            >
              Put the files back
            </Button>
          </>
        )}
      </div>
      {failure !== undefined && (
        <div className="mt-2">
          <ErrorNotice failure={failure} />
        </div>
      )}
    </div>
  );
}
