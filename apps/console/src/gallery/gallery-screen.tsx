import type { ContextUse } from "@benchtop/operations";
import { BenchtopError, errorActions, errorCodes } from "@benchtop/protocol";
import { FileDiff, HardDrive, Inbox, Plus } from "lucide-react";
import { useState, type ReactNode } from "react";
import { failureOf } from "../api/client.ts";
import { Button, IconButton } from "../components/button.tsx";
import { Checkbox } from "../components/checkbox.tsx";
import { Chip } from "../components/chip.tsx";
import { CopyId } from "../components/copy-text.tsx";
import { Dialog } from "../components/dialog.tsx";
import { EmptyState } from "../components/empty-state.tsx";
import { ErrorNotice } from "../components/error-notice.tsx";
import { TextField } from "../components/field.tsx";
import { KeyCap } from "../components/key-cap.tsx";
import { LineChart, type Series } from "../components/line-chart.tsx";
import { Markdown } from "../components/markdown.tsx";
import { Menu } from "../components/menu.tsx";
import { Meter } from "../components/meter.tsx";
import { ProgressBar } from "../components/progress-bar.tsx";
import { RadioCards } from "../components/radio-cards.tsx";
import { RelativeTime } from "../components/relative-time.tsx";
import { RunStatus } from "../components/run-status.tsx";
import { Screen } from "../components/screen.tsx";
import { Segmented } from "../components/segmented.tsx";
import { Select } from "../components/select.tsx";
import { ContextMeter } from "../conversation/context-meter.tsx";
import { ShownOnce } from "../components/shown-once.tsx";
import { SkeletonRows } from "../components/skeleton.tsx";
import { ReviewSamples } from "../review/samples.tsx";

const nothing = () => undefined;
const everyAction = Object.fromEntries(errorActions.map((action) => [action, nothing]));

const nobody = () => Promise.resolve();

/** Of a window of 128,000 tokens; null: nobody knows the window. */
function windowOf(used: number | null): ContextUse {
  const usedTokens = used ?? 4_000;
  const share = usedTokens / 128_000;
  return {
    model: "provider/model",
    contextTokens: used === null ? null : 128_000,
    usedTokens,
    pressure: used === null ? null : share < 0.5 ? "light" : share < 0.8 ? "moderate" : "heavy",
    parts: [
      { part: "instructions", tokens: 400, count: 1 },
      { part: "files", tokens: usedTokens - 400, count: 12 },
    ],
    leftOut: share > 0.8 ? ["archive/2019.csv", "archive/2020.csv"] : [],
  };
}

const curves: readonly Series[] = [
  {
    name: "loss",
    points: Array.from({ length: 120 }, (_, x) => ({ x: x * 4, y: 6 / (1 + x / 12) + Math.sin(x) / 12 })),
  },
  {
    name: "evaluation loss",
    points: Array.from({ length: 12 }, (_, x) => ({ x: x * 40, y: 6.2 / (1 + x / 1.3) + 0.2 })),
    dashed: true,
  },
];

/** Each component in each of its states, to look at in every appearance. */
export function GalleryScreen() {
  const [choice, setChoice] = useState<"split" | "inline">("split");
  const [option, setOption] = useState("one");
  const [open, setOpen] = useState(false);
  const [ticked, setTicked] = useState(true);
  return (
    <Screen title="Components">
      <div className="mx-auto grid max-w-240 gap-6 px-4 py-6 sm:px-8">
        <Group title="Buttons">
          <Button tone="primary" icon={<Plus size={14} aria-hidden />}>
            Primary
          </Button>
          <Button>Default</Button>
          <Button tone="quiet">Quiet</Button>
          <Button tone="danger">Danger</Button>
          <Button tone="primary" busy>
            Busy
          </Button>
          <Button disabledReason="Here is why it cannot be used now.">Disabled with a reason</Button>
          <Button size="small">Small</Button>
          <IconButton label="An icon">
            <Inbox size={15} aria-hidden />
          </IconButton>
          <IconButton label="An icon" disabledReason="Here is why.">
            <Inbox size={15} aria-hidden />
          </IconButton>
        </Group>
        <Group title="Chips and states">
          <Chip>Neutral</Chip>
          <Chip tone="accent">Accent</Chip>
          <Chip tone="good" icon={<HardDrive size={12} aria-hidden />}>
            Good
          </Chip>
          <Chip tone="draft" icon={<FileDiff size={12} aria-hidden />}>
            Draft
          </Chip>
          <Chip tone="bad">Bad</Chip>
          <RunStatus status="pending" />
          <RunStatus status="success" />
          <RunStatus status="error" />
          <RunStatus status="error" errorCode="USER_CANCELED" />
          <RunStatus status="error" errorCode="RUN_INTERRUPTED" />
          <RunStatus status="budget_exceeded" />
          <RunStatus status="replay" />
        </Group>
        <Group title="Choices">
          <Segmented
            label="A choice"
            value={choice}
            onChange={setChoice}
            options={[
              { value: "split", label: "Side by side" },
              { value: "inline", label: "Inline" },
            ]}
          />
          <Select
            label="An option"
            value={option}
            onChange={setOption}
            options={[
              { value: "one", label: "One" },
              { value: "two", label: "Two", note: "with a note" },
            ]}
          />
          <Menu
            trigger={
              <button type="button" className="h-7 rounded-md border border-line-strong bg-raised px-2 text-sm">
                Menu
              </button>
            }
            items={[
              { label: "An action", onSelect: nothing },
              { label: "Not now", onSelect: nothing, disabledReason: "Here is why." },
              { label: "Delete", onSelect: nothing, danger: true },
            ]}
          />
          <Button onClick={() => setOpen(true)}>Dialog…</Button>
          <Dialog
            open={open}
            onClose={() => setOpen(false)}
            title="A dialog"
            description="It names what will happen."
            footer={<Button onClick={() => setOpen(false)}>Close</Button>}
          >
            Its content.
          </Dialog>
        </Group>
        <Group title="One of a few, and some of many">
          <div className="w-80">
            <RadioCards
              label="One of a few"
              value={option === "two" ? "two" : "one"}
              onChange={setOption}
              options={[
                { value: "one", label: "One", note: "A sentence about it." },
                { value: "two", label: "Two", note: "And about the other." },
              ]}
            />
          </div>
          <Checkbox label="Ticked or not" note="A word about it." checked={ticked} onChange={setTicked} />
        </Group>
        <Group title="Shown once">
          <div className="w-full max-w-120">
            <ShownOnce label="An example" secret="bt_example_nobody_sees_it_again" />
          </div>
        </Group>
        <Group title="Fields">
          <div className="w-70">
            <TextField label="Name" placeholder="Budget 2027" hint="A hint below it." />
          </div>
          <div className="w-70">
            <TextField label="Name" defaultValue="?" error="What is wrong with it." />
          </div>
        </Group>
        <Group title="Small things">
          <CopyId id="run_01kc3vexample0123456789" label="run id" />
          <RelativeTime at={new Date(Date.now() - 240_000).toISOString()} />
          <KeyCap>Esc</KeyCap>
          <div className="w-50">
            <ProgressBar label="Progress" done={3} total={8} />
          </div>
        </Group>
        <Group title="How full something is">
          {([0.3, 0.92] as const).map((share) => (
            <div key={share} className="w-70">
              <Meter
                label="Room"
                says={`${100 * share} of 100 taken, 20 by others`}
                total={120}
                limit={100}
                tight={share > 0.85}
                parts={[
                  { tone: "own", value: 100 * share },
                  { tone: "other", value: 20 },
                ]}
              />
            </div>
          ))}
        </Group>
        <Group title="Values over steps">
          <div className="grid w-full gap-3 sm:grid-cols-2">
            <LineChart label="Two curves" xLabel="step" series={curves} />
            <LineChart label="Nothing yet" xLabel="step" series={[]} />
          </div>
        </Group>
        <Group title="How full a model’s window is">
          {([4_000, 70_000, 120_000, null] as const).map((usedTokens) => (
            <ContextMeter key={usedTokens} context={{ use: windowOf(usedTokens), failure: undefined, retry: nobody }} />
          ))}
        </Group>
        <Group title="Errors">
          <div className="grid w-full gap-2.5">
            {errorCodes.map((code) => (
              <ErrorNotice
                key={code}
                failure={failureOf(new BenchtopError(code, "What went wrong, in words."))}
                handlers={everyAction}
              />
            ))}
          </div>
        </Group>
        <Group title="Markdown">
          <div className="w-full">
            <Markdown
              text={
                "## A heading\n\nWords with **weight**, `code`, a [link](https://example.com) and an image: ![alt](https://example.com/x.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```ts\nconst answer = 42;\n```\n\n- one\n- two"
              }
            />
          </div>
        </Group>
        <Group title="Review">
          <ReviewSamples />
        </Group>
        <Group title="Nothing yet, and loading">
          <div className="w-full rounded-lg border border-line">
            <EmptyState
              icon={<Inbox size={18} aria-hidden />}
              title="What belongs here"
              action={<Button tone="primary">The next step</Button>}
            >
              One sentence that teaches it.
            </EmptyState>
          </div>
          <div className="w-full rounded-lg border border-line">
            <SkeletonRows count={3} label="Loading" />
          </div>
        </Group>
      </div>
    </Screen>
  );
}

function Group(props: { readonly title: string; readonly children: ReactNode }) {
  return (
    <section>
      <h2 className="mb-2 text-sm font-semibold text-muted">{props.title}</h2>
      <div className="flex flex-wrap items-center gap-2.5">{props.children}</div>
    </section>
  );
}
