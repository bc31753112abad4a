import type { Change, DocumentDiff, ReviewWarning, TextDiff } from "@benchtop/operations";
import { useRef, useState, type ReactNode } from "react";
import { Segmented } from "../components/segmented.tsx";
import { ChangeList, type ChangeFilter } from "./change-list.tsx";
import { DiffView } from "./diff-view.tsx";
import { DocumentView } from "./document/document-view.tsx";
import type { ChangeHandle } from "./document/steps.ts";
import { TextEditor } from "./edit/text-editor.tsx";
import { WarningList } from "./warning-list.tsx";

/** Every way in which Review shows a change, with made-up files, for the gallery. */
export function ReviewSamples() {
  const [view, setView] = useState<"split" | "inline">("inline");
  const [filter, setFilter] = useState<ChangeFilter>({ text: "", show: "all" });
  const [text, setText] = useState("function total(rows) {\n  return rows.length;\n}\n");
  return (
    <div className="grid w-full grid-cols-1 gap-4">
      <div>
        <Segmented
          label="How the samples are shown"
          value={view}
          onChange={setView}
          options={[
            { value: "inline", label: "Inline" },
            { value: "split", label: "Side by side" },
          ]}
        />
      </div>
      <Frame title="Changed files" height="h-90 max-w-70">
        <ChangeList
          changes={changes}
          filter={filter}
          onFilter={setFilter}
          selected="plan.docx"
          onSelect={nothing}
          onAccept={nothing}
        />
      </Frame>
      <Frame title="Warnings" height="h-auto">
        <WarningList warnings={warnings} />
      </Frame>
      <Frame title="Lines">
        <Diff view={view} />
      </Frame>
      {documents.map(([title, diff]) => (
        <Frame key={title} title={title}>
          <Document diff={diff} view={view} />
        </Frame>
      ))}
      <Frame title="Editor" height="h-40">
        <TextEditor value={text} label="A text to edit" onChange={setText} onSave={nothing} />
      </Frame>
    </div>
  );
}

const nothing = () => undefined;

function Frame(props: { readonly title: string; readonly height?: string; readonly children: ReactNode }) {
  return (
    <section>
      <h3 className="mb-1 text-sm font-medium text-muted">{props.title}</h3>
      <div
        className={`flex flex-col overflow-hidden rounded-lg border border-line bg-surface ${props.height ?? "h-110"}`}
      >
        {props.children}
      </div>
    </section>
  );
}

function Diff(props: { readonly view: "split" | "inline" }) {
  const handle = useRef<ChangeHandle>(null);
  return <DiffView diff={lines} view={props.view} handle={handle} onNeedWhole={nothing} onDecide={nothing} />;
}

function Document(props: { readonly diff: DocumentDiff; readonly view: "split" | "inline" }) {
  const handle = useRef<ChangeHandle>(null);
  return (
    <DocumentView
      workbenchId="sample"
      diff={props.diff}
      view={props.view}
      handle={handle}
      busy={false}
      onOffset={nothing}
    />
  );
}

const warnings: readonly ReviewWarning[] = [
  { kind: "csv-formula", message: "A spreadsheet program would run this cell.", where: "C14" },
  { kind: "spoofed-text", message: "The name mixes Latin and Cyrillic letters.", where: null },
  { kind: "macro", message: "The document holds a program.", where: "word/vbaProject.bin" },
  { kind: "external-reference", message: "A template is loaded from another machine.", where: "word/settings.xml" },
];

const change = (path: string, more: Partial<Change>): Change => ({
  path,
  change: "modified",
  view: "text",
  mediaType: "text/plain",
  bytesBefore: 1200,
  bytesAfter: 1350,
  sha256Before: "a".repeat(64),
  sha256After: "b".repeat(64),
  linesAdded: 12,
  linesRemoved: 3,
  runId: null,
  summary: null,
  document: null,
  accepted: false,
  warnings: [],
  ...more,
});

const changes: readonly Change[] = [
  change("summary.md", { change: "added", bytesBefore: null, sha256Before: null, linesRemoved: 0, accepted: true }),
  change("src/report.ts", { summary: "Sums in cents instead of joining text." }),
  change("data/expenses.csv", { document: "sheets", warnings: warnings.slice(0, 1) }),
  change("plan.docx", { view: "opaque", document: "document", linesAdded: null, linesRemoved: null }),
  change("talk.pptx", { view: "opaque", document: "slides", linesAdded: null, linesRemoved: null, accepted: true }),
  change("contract.pdf", { view: "opaque", document: "pages", linesAdded: null, linesRemoved: null }),
  change("logo.png", { view: "opaque", document: "image", linesAdded: null, linesRemoved: null }),
  change("old.txt", { change: "deleted", bytesAfter: null, sha256After: null, linesAdded: 0, confirmed: false }),
  change("older.txt", { change: "deleted", bytesAfter: null, sha256After: null, linesAdded: 0, confirmed: true }),
];

const lines: TextDiff = {
  path: "src/report.ts",
  change: "modified",
  view: "text",
  linesAdded: 3,
  linesRemoved: 2,
  truncated: false,
  oldLineCount: 9,
  newLineCount: 10,
  warnings: [],
  hunks: [
    {
      oldStart: 1,
      oldLines: 9,
      newStart: 1,
      newLines: 10,
      id: "1..2",
      accepted: false,
      stretches: [
        { id: "1", oldStart: 2, oldLines: 1, newStart: 2, newLines: 2, accepted: false },
        { id: "2", oldStart: 8, oldLines: 1, newStart: 9, newLines: 1, accepted: true },
      ],
      lines: [
        { kind: "context", text: "export function sum(rows: readonly Row[]): string {", oldLine: 1, newLine: 1 },
        { kind: "removed", text: '  let total = "";', oldLine: 2, newLine: null, marks: [[14, 16]] },
        { kind: "added", text: "  let total = 0;", oldLine: null, newLine: 2, marks: [[14, 15]] },
        { kind: "added", text: "  // Amounts are text in the file.", oldLine: null, newLine: 3 },
        ...["  for (const row of rows) {", "    total += row.amount;", "  }", "  return total;", "}"].map(
          (text, index) => ({
            kind: "context" as const,
            text,
            oldLine: 3 + index,
            newLine: 4 + index,
          }),
        ),
        { kind: "removed", text: "export const unit = 1;", oldLine: 8, newLine: null, marks: [[20, 21]] },
        { kind: "added", text: "export const unit = 100;", oldLine: null, newLine: 9, marks: [[20, 23]] },
        { kind: "context", text: "", oldLine: 9, newLine: 10 },
      ],
    },
  ],
};

const facts = {
  change: "modified" as const,
  bytesBefore: 12_400,
  bytesAfter: 12_900,
  sha256Before: "a".repeat(64),
  sha256After: "b".repeat(64),
  warnings: [],
  truncated: false,
};
type Block = Extract<DocumentDiff, { kind: "document" }>["blocks"][number];
const block = (role: Block["role"], before: string | null, after: string | null, more: Partial<Block> = {}): Block => ({
  role,
  before,
  after,
  change: before === after ? "same" : before === null ? "added" : after === null ? "removed" : "changed",
  level: null,
  style: null,
  formatChanged: false,
  ...more,
});
const same = (role: Block["role"], text: string, more: Partial<Block> = {}) => block(role, text, text, more);
const cell = (text: string, type: "text" | "number" = "text", formula: string | null = null) => ({
  text,
  type,
  formula,
});

const documents: readonly (readonly [title: string, diff: DocumentDiff])[] = [
  [
    "A text document",
    {
      kind: "document",
      path: "plan.docx",
      mediaType: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
      ...facts,
      blocks: [
        same("header", "Household 2027"),
        same("heading", "Plan for 2027", { level: 1 }),
        block("paragraph", "Rent is 1200 a month and rises in May.", "Rent is 1250 a month and rises in June.", {
          marksBefore: [
            [8, 12],
            [34, 37],
          ],
          marksAfter: [
            [8, 12],
            [34, 38],
          ],
        }),
        ...["One", "Two", "Three", "Four", "Five"].map((word) => same("paragraph", `${word} paragraph that stayed.`)),
        same("heading", "What to do", { level: 2 }),
        same("list-item", "Ask for the deposit", { level: 1 }),
        block("list-item", null, "Call the insurance", { level: 1 }),
        block("list-item", "Sell the car", null, { level: 2 }),
        same("paragraph", "These words look different now.", { formatChanged: true }),
        same("table-row", "Item\tAmount\tNote"),
        block("table-row", "Rent\t1200\t", "Rent\t1250\tfrom June", {
          marksBefore: [[5, 9]],
          marksAfter: [
            [5, 9],
            [10, 19],
          ],
        }),
        block("comment", null, "Is this still right?"),
        same("image", "A photo of the flat"),
        same("break", "Page break"),
        same("footnote", "All amounts in euros."),
      ],
    },
  ],
  [
    "Sheets",
    {
      kind: "sheets",
      path: "budget.xlsx",
      mediaType: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
      ...facts,
      sheets: [
        {
          name: "Budget",
          oldName: "Sheet1",
          change: "changed",
          hidden: false,
          columns: 5,
          oldRows: 120,
          newRows: 121,
          changedCells: 3,
          merged: ["A1:C1"],
          formatChanged: true,
          truncated: false,
          rows: [
            {
              change: "same",
              oldRow: 1,
              newRow: 1,
              cells: [
                { column: 1, change: "same", before: cell("Budget 2027"), after: cell("Budget 2027"), comment: null },
              ],
            },
            {
              change: "changed",
              oldRow: 2,
              newRow: 2,
              cells: [
                { column: 1, change: "same", before: cell("Rent"), after: cell("Rent"), comment: null },
                {
                  column: 2,
                  change: "changed",
                  before: cell("1,200.00", "number"),
                  after: cell("1,250.00", "number"),
                  comment: "From June",
                },
                { column: 3, change: "added", before: null, after: cell("rises"), comment: null },
              ],
            },
            {
              change: "added",
              oldRow: null,
              newRow: 3,
              cells: [
                { column: 1, change: "added", before: null, after: cell("Insurance"), comment: null },
                { column: 2, change: "added", before: null, after: cell("80.00", "number"), comment: null },
              ],
            },
            {
              change: "changed",
              oldRow: 60,
              newRow: 61,
              cells: [
                { column: 1, change: "same", before: cell("Total"), after: cell("Total"), comment: null },
                {
                  column: 2,
                  change: "changed",
                  before: cell("1,200.00", "number", "SUM(B2:B59)"),
                  after: cell("1,330.00", "number", "SUM(B2:B60)"),
                  comment: null,
                },
              ],
            },
            {
              change: "removed",
              oldRow: 61,
              newRow: null,
              cells: [{ column: 1, change: "removed", before: cell("Draft, delete me"), after: null, comment: null }],
            },
          ],
        },
        {
          name: "Notes",
          oldName: null,
          change: "same",
          hidden: true,
          columns: 2,
          oldRows: 4,
          newRows: 4,
          changedCells: 0,
          merged: [],
          formatChanged: false,
          truncated: false,
          rows: [],
        },
      ],
    },
  ],
  [
    "Slides",
    {
      kind: "slides",
      path: "talk.pptx",
      mediaType: "application/vnd.openxmlformats-officedocument.presentationml.presentation",
      ...facts,
      slideSize: [960, 540],
      slides: [
        {
          change: "same",
          oldNumber: 1,
          newNumber: 1,
          title: "Welcome",
          shapes: [],
        },
        {
          change: "changed",
          oldNumber: 2,
          newNumber: 2,
          title: "Results",
          shapes: [
            {
              change: "same",
              before: "Results",
              after: "Results",
              name: "Title 1",
              role: "title",
              frame: [0.06, 0.06, 0.88, 0.16],
              formatChanged: false,
            },
            {
              change: "changed",
              before: "Costs fell by 4 %",
              after: "Costs fell by 6 %",
              marksBefore: [[14, 15]],
              marksAfter: [[14, 15]],
              name: "Content 2",
              role: "body",
              frame: [0.06, 0.28, 0.5, 0.5],
              formatChanged: false,
            },
            {
              change: "added",
              before: null,
              after: "Costs by month",
              name: "Chart 3",
              role: "chart",
              frame: [0.6, 0.28, 0.34, 0.5],
              formatChanged: false,
            },
            {
              change: "changed",
              before: "Say why",
              after: "Say why and by whom",
              marksAfter: [[7, 19]],
              name: "Notes 4",
              role: "notes",
              frame: null,
              formatChanged: false,
            },
          ],
        },
        {
          change: "removed",
          oldNumber: 3,
          newNumber: null,
          title: "Questions",
          shapes: [
            {
              change: "removed",
              before: "Questions",
              after: null,
              name: "Title 1",
              role: "title",
              frame: null,
              formatChanged: false,
            },
          ],
        },
      ],
    },
  ],
  [
    "Bytes",
    {
      kind: "bytes",
      path: "song.bin",
      mediaType: "application/octet-stream",
      ...facts,
      metadata: [
        { name: "Title", before: "Old song", after: "New song" },
        { name: "Length", before: "3 min", after: "3 min" },
      ],
      offset: 0,
      nextDifference: 4096,
      rows: [
        { offset: 0, before: "504b0304140006000800000021004a2f", after: "504b0304140006000800000021004a2f" },
        { offset: 16, before: "48656c6c6f20776f726c640000000000", after: "48656c6c6f2054686572652100000000" },
        { offset: 32, before: null, after: "0001020304" },
      ],
    },
  ],
];
