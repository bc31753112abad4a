/** A key of the keyboard, as printed on it. */
export function KeyCap(props: { readonly children: string }) {
  return (
    <kbd className="inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-sm border border-line-strong bg-raised px-1 font-sans text-xs font-medium text-muted">
      {props.children}
    </kbd>
  );
}

export const commandKey = /Mac|iPhone|iPad/.test(navigator.userAgent) ? "⌘" : "Ctrl";
