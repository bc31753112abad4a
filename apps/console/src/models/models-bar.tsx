import { Link } from "@tanstack/react-router";

const tabs = [
  { to: "/models", label: "Library" },
  { to: "/models/playground", label: "Playground" },
  { to: "/models/jobs", label: "Jobs" },
] as const;

/** The three parts of “Models”, side by side. */
export function ModelsBar() {
  return (
    <>
      <h1 className="text-base font-semibold max-sm:sr-only">Models</h1>
      <nav aria-label="Models" className="inline-flex rounded-md border border-line bg-sunken p-0.5 sm:ml-2">
        {tabs.map(({ to, label }) => (
          <Link
            key={to}
            to={to}
            activeOptions={{ exact: to === "/models", includeSearch: false }}
            activeProps={{
              "aria-current": "page",
              className: "bg-raised! text-ink! shadow-raised ring-1 ring-line-strong",
            }}
            className="flex h-6 items-center rounded-sm px-2 text-sm font-medium text-muted transition-colors duration-(--quick) hover:text-ink"
          >
            {label}
          </Link>
        ))}
      </nav>
    </>
  );
}
