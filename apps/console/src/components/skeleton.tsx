/** Rows in the shape of a list that is being loaded; invisible for the first 150 ms. */
export function SkeletonRows(props: { readonly count?: number; readonly label: string }) {
  return (
    <div role="status" aria-label={props.label} className="flex flex-col gap-px p-2">
      {Array.from({ length: props.count ?? 6 }, (_, index) => (
        <div key={index} className="flex h-9 items-center gap-3 px-2">
          <span className="skeleton h-3 w-4" />
          <span className="skeleton h-3" style={{ width: `${52 - ((index * 17) % 30)}%` }} />
          <span className="skeleton ml-auto h-3 w-14" />
        </div>
      ))}
    </div>
  );
}
