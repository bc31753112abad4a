import type { Workbench } from "@benchtop/operations";
import { useQuery } from "@tanstack/react-query";
import { FolderOutput } from "lucide-react";
import { useState } from "react";
import { Button } from "../components/button.tsx";
import { formatCount } from "../components/format.ts";
import { useMay } from "../identity/identity.ts";
import { newerHere, originsOf } from "./origins.ts";
import { WriteBackDialog } from "./write-back-dialog.tsx";

const key = (workbenchId: string): string => `benchtop.not-written-back.${workbenchId}`;

/** Once published files are newer than where they came from, says so and offers to write them back. */
export function WriteBackOffer(props: { readonly workbench: Workbench }) {
  const { workbench } = props;
  const { workbenchId, manifestHash, hasDraft } = workbench;
  const may = useMay("host:files");
  const origins = useQuery({ ...originsOf(workbench), enabled: may && !hasDraft });
  const [declined, setDeclined] = useState(() => sessionStorage.getItem(key(workbenchId)));
  const [open, setOpen] = useState(false);
  const newer = newerHere(origins.data ?? []);
  const conflicts = newer.filter(({ state }) => state === "conflict").length;
  const offered = may && !hasDraft && newer.length > 0 && declined !== manifestHash;
  return (
    <>
      {offered && (
        <section
          aria-label="Write back"
          className="flex shrink-0 flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-accent-line bg-accent-soft px-4 py-2"
        >
          <FolderOutput size={15} aria-hidden className="text-accent-ink" />
          <p className="min-w-48 flex-1">
            {formatCount(newer.length, "published file")} {newer.length === 1 ? "is" : "are"} newer than where{" "}
            {newer.length === 1 ? "it" : "they"} came from on this machine.
            {conflicts > 0 && ` ${formatCount(conflicts, "of those places", "of those places")} changed since, too.`}
          </p>
          <Button
            size="small"
            tone="quiet"
            onClick={() => {
              sessionStorage.setItem(key(workbenchId), manifestHash);
              setDeclined(manifestHash);
            }}
          >
            Not now
          </Button>
          <Button size="small" tone="primary" onClick={() => setOpen(true)}>
            Write back…
          </Button>
        </section>
      )}
      {open && <WriteBackDialog workbench={workbench} onClose={() => setOpen(false)} />}
    </>
  );
}
