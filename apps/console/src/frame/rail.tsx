import { useQuery } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { ChevronsLeft, ChevronsRight, ChevronsUpDown, Ellipsis, Search } from "lucide-react";
import { waitingRuns } from "../api/queries.ts";
import { IconButton } from "../components/button.tsx";
import { classes } from "../components/classes.ts";
import { commandKey, KeyCap } from "../components/key-cap.tsx";
import { Tooltip } from "../components/tooltip.tsx";
import { useIdentity, useMay } from "../identity/identity.ts";
import { AccountMenu } from "../workspaces/account-menu.tsx";
import { Mark } from "./mark.tsx";
import { nearSections, sectionsFor } from "./navigation.ts";
import { RunningRuns } from "./running-runs.tsx";

export function Rail(props: {
  readonly wide: boolean;
  readonly onToggle?: () => void;
  readonly onSearch: () => void;
  readonly onKeys: () => void;
}) {
  const { wide } = props;
  const sections = sectionsFor(useIdentity());
  return (
    <div className={classes("hidden shrink-0 flex-col px-2 py-2.5 sm:flex", wide ? "w-50 max-md:w-13" : "w-13")}>
      <div
        className={classes(
          "mb-3 flex h-8 items-center",
          wide ? "justify-between px-1.5 max-md:justify-center" : "justify-center",
        )}
      >
        <Link to="/" aria-label="Benchtop, home" className="flex items-center gap-2 rounded-md">
          <Mark size={22} />
          {wide && <span className="text-base font-semibold tracking-tight max-md:hidden">Benchtop</span>}
        </Link>
        {wide && props.onToggle !== undefined && (
          <IconButton label="Make the rail narrow" size="small" onClick={props.onToggle} className="max-md:hidden">
            <ChevronsLeft size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      <RailItem wide={wide} label="Search" keys={`${commandKey} K`}>
        <button type="button" onClick={props.onSearch} aria-label="Search and commands" className={itemClass(wide)}>
          <Search size={15} aria-hidden className="shrink-0" />
          {wide && (
            <span className="flex flex-1 items-center justify-between max-md:hidden">
              Search
              <span className="flex gap-0.5">
                <KeyCap>{commandKey}</KeyCap>
                <KeyCap>K</KeyCap>
              </span>
            </span>
          )}
        </button>
      </RailItem>
      <nav aria-label="Sections" className="mt-3 flex flex-col gap-px">
        {sections.map(({ to, label, icon: Icon, keys }) => (
          <RailItem key={to} wide={wide} label={label} keys={keys}>
            <Link
              to={to}
              activeOptions={{ exact: to === "/", includeSearch: false }}
              activeProps={{ className: "bg-selected! text-ink!", "aria-current": "page" }}
              className={itemClass(wide)}
              aria-label={label}
            >
              <span className="relative shrink-0">
                <Icon size={15} aria-hidden />
                {to === "/approvals" && <WaitingDot className={wide ? "md:hidden" : ""} />}
              </span>
              {wide && (
                <span className="flex flex-1 items-center justify-between max-md:hidden">
                  {label}
                  {to === "/approvals" && <WaitingCount />}
                </span>
              )}
            </Link>
          </RailItem>
        ))}
      </nav>
      <div className="mt-auto flex flex-col gap-1">
        <RunningRuns compact={!wide} className="mb-1 max-sm:hidden" />
        {!wide && props.onToggle !== undefined && (
          <IconButton
            label="Make the rail wide"
            side="right"
            onClick={props.onToggle}
            className="mx-auto max-md:hidden"
          >
            <ChevronsRight size={15} aria-hidden />
          </IconButton>
        )}
        <Account wide={wide} onKeys={props.onKeys} />
      </div>
    </div>
  );
}

/** Below 700 px the sections lie at the bottom, within reach of a thumb. */
export function BottomBar(props: { readonly onSearch: () => void }) {
  const navigate = useNavigate();
  const sections = sectionsFor(useIdentity());
  const near = sections.filter(({ to }) => nearSections.includes(to));
  const others = sections.filter(({ to }) => !nearSections.includes(to));
  return (
    <nav
      aria-label="Sections"
      className="flex shrink-0 justify-around border-t border-line bg-canvas px-1 pt-1 pb-[max(4px,env(safe-area-inset-bottom))] sm:hidden"
    >
      {near.map(({ to, label, icon: Icon }) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: to === "/", includeSearch: false }}
          activeProps={{ className: "text-accent-ink!", "aria-current": "page" }}
          className="flex min-w-0 flex-1 flex-col items-center gap-0.5 rounded-md py-1 text-xs font-medium text-muted"
        >
          <span className="relative">
            <Icon size={18} aria-hidden />
            {to === "/approvals" && <WaitingDot />}
          </span>
          {label}
        </Link>
      ))}
      <AccountMenu
        trigger={
          <button
            type="button"
            className="flex min-w-0 flex-1 flex-col items-center gap-0.5 rounded-md py-1 text-xs font-medium text-muted"
          >
            <Ellipsis size={18} aria-hidden />
            More
          </button>
        }
        more={{
          items: [
            { label: "Search", icon: <Search size={14} aria-hidden />, onSelect: props.onSearch },
            ...others.map(({ to, label, icon: Icon }) => ({
              label,
              icon: <Icon size={14} aria-hidden />,
              onSelect: () => void navigate({ to }),
            })),
          ],
        }}
      />
    </nav>
  );
}

/** How much waits for a person; nothing when nothing does. */
function WaitingCount() {
  const count = useWaitingCount();
  if (count === 0) return null;
  return (
    <span className="tabular rounded-full border border-draft-line bg-draft-soft px-1.5 text-xs font-medium text-draft">
      {count}
      <span className="sr-only"> waiting</span>
    </span>
  );
}

function useWaitingCount(): number {
  return useQuery({ ...waitingRuns, enabled: useMay("runs:read") }).data?.length ?? 0;
}

function WaitingDot(props: { readonly className?: string }) {
  const count = useWaitingCount();
  if (count === 0) return null;
  return (
    <span className={classes("absolute -top-1 -right-1 size-2 rounded-full bg-draft", props.className)}>
      <span className="sr-only">{count} waiting</span>
    </span>
  );
}

/** Whose browser this is, and which workspace it shows; a menu leads to the others. */
function Account(props: { readonly wide: boolean; readonly onKeys: () => void }) {
  const identity = useIdentity();
  if (identity === undefined) return null;
  const { workspaceName, displayName } = identity;
  return (
    <AccountMenu
      onKeys={props.onKeys}
      trigger={
        <button
          type="button"
          aria-label={`${workspaceName}, ${displayName}: workspaces and account`}
          title={props.wide ? undefined : `${workspaceName} · ${displayName}`}
          className={classes(
            "flex items-center gap-2.5 rounded-md transition-colors duration-(--quick) hover:bg-hover data-popup-open:bg-hover",
            props.wide ? "px-1.5 py-1.5 max-md:mx-auto max-md:px-1" : "mx-auto p-1",
          )}
        >
          <Initial name={workspaceName} />
          {props.wide && (
            <>
              <span className="min-w-0 flex-1 text-left leading-4 max-md:hidden">
                <span className="block truncate text-sm font-semibold">{workspaceName}</span>
                <span className="block truncate text-xs text-muted">{displayName}</span>
              </span>
              <ChevronsUpDown size={13} aria-hidden className="shrink-0 text-faint max-md:hidden" />
            </>
          )}
        </button>
      }
    />
  );
}

function Initial(props: { readonly name: string }) {
  return (
    <span
      aria-hidden
      className="flex size-6.5 shrink-0 items-center justify-center rounded-md border border-accent-line bg-accent-soft text-sm font-semibold text-accent-ink uppercase"
    >
      {String.fromCodePoint(props.name.trim().codePointAt(0) ?? 63)}
    </span>
  );
}

function RailItem(props: {
  readonly wide: boolean;
  readonly label: string;
  readonly keys: string;
  readonly children: React.ReactElement<Record<string, unknown>>;
}) {
  if (props.wide) return props.children;
  return (
    <Tooltip
      side="right"
      content={
        <span className="flex items-center gap-2">
          {props.label}
          <span className="text-faint">{props.keys}</span>
        </span>
      }
    >
      {props.children}
    </Tooltip>
  );
}

function itemClass(wide: boolean): string {
  return classes(
    "flex h-7.5 items-center gap-2.5 rounded-md font-medium text-muted transition-colors duration-(--quick) hover:bg-hover hover:text-ink",
    wide ? "px-2 max-md:mx-auto max-md:w-9 max-md:justify-center max-md:px-0" : "mx-auto w-9 justify-center",
  );
}
