import type { ReactNode } from "react";
import { Button } from "../components/button.tsx";

/** One part of the settings: what it is about, and what can be done at once. */
export function Section(props: {
  readonly title: string;
  readonly note?: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}) {
  return (
    <section>
      <div className="mb-3 flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-50 flex-1">
          <h2 className="text-lg font-semibold tracking-tight">{props.title}</h2>
          {props.note !== undefined && <p className="text-sm text-muted">{props.note}</p>}
        </div>
        {props.actions !== undefined && <div className="flex shrink-0 items-center gap-2">{props.actions}</div>}
      </div>
      {props.children}
    </section>
  );
}

/** Rows in one frame. */
export function Rows(props: { readonly label: string; readonly children: ReactNode }) {
  return (
    <ul aria-label={props.label} className="overflow-hidden rounded-lg border border-line bg-raised shadow-raised">
      {props.children}
    </ul>
  );
}

/** One line of `Rows`: what it is, facts about it, and what can be done with it. On narrow screens they lie below one another. */
export function Row(props: { readonly children: ReactNode; readonly dim?: boolean }) {
  return (
    <li
      className={`tabular flex flex-wrap items-center gap-x-3 gap-y-1.5 border-b border-line px-3.5 py-2.5 last:border-b-0 ${props.dim === true ? "text-muted" : ""}`}
    >
      {props.children}
    </li>
  );
}

/** What asks for the next page of a list, while there is one. */
export function ShowMore(props: {
  readonly list: {
    readonly hasNextPage: boolean;
    readonly isFetchingNextPage: boolean;
    readonly fetchNextPage: () => Promise<unknown>;
  };
  readonly label?: string;
}) {
  const { list } = props;
  if (!list.hasNextPage) return null;
  return (
    <div className="p-3 text-center">
      <Button size="small" busy={list.isFetchingNextPage} onClick={() => void list.fetchNextPage()}>
        {props.label ?? "Show more"}
      </Button>
    </div>
  );
}
