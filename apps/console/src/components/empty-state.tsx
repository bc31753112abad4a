import type { ReactNode } from "react";

/** What belongs here, and the one thing to do next. */
export function EmptyState(props: {
  readonly icon: ReactNode;
  readonly title: string;
  readonly children: ReactNode;
  readonly action?: ReactNode;
}) {
  return (
    <div className="appear-late mx-auto flex max-w-100 flex-col items-center px-6 py-14 text-center">
      <div className="mb-3 flex size-10 items-center justify-center rounded-xl border border-line bg-raised text-muted shadow-raised">
        {props.icon}
      </div>
      <h2 className="text-lg font-semibold tracking-tight">{props.title}</h2>
      <p className="mt-1 text-muted">{props.children}</p>
      {props.action !== undefined && <div className="mt-4">{props.action}</div>}
    </div>
  );
}
