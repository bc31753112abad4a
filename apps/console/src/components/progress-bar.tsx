/** Progress with its numbers beside it. */
export function ProgressBar(props: { readonly label: string; readonly done: number; readonly total: number }) {
  const share = props.total === 0 ? 0 : Math.min(1, props.done / props.total);
  return (
    <div
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.total}
      aria-valuenow={props.done}
      className="h-1 w-full overflow-hidden rounded-full bg-selected"
    >
      <div
        className="h-full origin-left rounded-full bg-accent transition-transform duration-(--calm)"
        style={{ transform: `scaleX(${share})` }}
      />
    </div>
  );
}
