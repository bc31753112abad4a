import { useEffect, type ReactNode } from "react";
import { Mark } from "../frame/mark.tsx";

/** What surrounds everything that is shown to somebody who is not in yet. */
export function Doorway(props: { readonly title: string; readonly note?: ReactNode; readonly children: ReactNode }) {
  useEffect(() => {
    document.title = `${props.title} · Benchtop`;
  }, [props.title]);
  return (
    <main className="flex h-full justify-center overflow-y-auto px-4 py-[max(24px,14vh)]">
      <div className="w-full max-w-96">
        <div className="mb-6 flex items-center gap-2.5">
          <Mark size={30} />
          <h1 className="min-w-0 text-xl font-semibold tracking-tight break-words">{props.title}</h1>
        </div>
        <div className="rounded-xl border border-line bg-surface p-5 shadow-raised">{props.children}</div>
        {props.note !== undefined && <div className="mt-4 pb-6 text-sm text-muted">{props.note}</div>}
      </div>
    </main>
  );
}

export function Or() {
  return (
    <div className="my-4 flex items-center gap-3 text-sm text-faint" role="presentation">
      <span className="h-px flex-1 bg-line" />
      or
      <span className="h-px flex-1 bg-line" />
    </div>
  );
}
