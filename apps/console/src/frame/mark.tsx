/** The sign of Benchtop: a bench with a shelf, and something on it. */
export function Mark(props: { readonly size: number }) {
  return (
    <svg width={props.size} height={props.size} viewBox="0 0 32 32" aria-hidden className="shrink-0">
      <rect width="32" height="32" rx="8" className="fill-accent" />
      <path
        d="M6.5 12.5h19M9.5 12.5V25M22.5 12.5V25M9.5 19.5h13"
        fill="none"
        className="stroke-on-accent"
        strokeWidth="2.6"
        strokeLinecap="round"
      />
      <rect x="12" y="6.5" width="8" height="3" rx="1" className="fill-on-accent" opacity=".75" />
    </svg>
  );
}
