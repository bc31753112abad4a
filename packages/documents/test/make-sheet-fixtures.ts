/**
 * Makes the workbooks and text files that the tests of sheets read, as LibreOffice writes them:
 * `node packages/documents/test/make-sheet-fixtures.ts`. What it makes is committed, so that tests need no LibreOffice to read it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";

const here = import.meta.dirname;
const work = mkdtempSync(join(tmpdir(), "benchtop-sheet-fixtures-"));

interface CellOptions {
  readonly style?: string;
  readonly formula?: string;
  readonly span?: [columns: number, rows: number];
  readonly comment?: string;
  readonly validation?: string;
  readonly array?: [columns: number, rows: number];
  readonly inner?: string;
}
type Value =
  | string
  | number
  | boolean
  | null
  | { readonly date: string }
  | { readonly percent: number }
  | { readonly euro: number };
type FixtureCell = Value | readonly [Value, CellOptions];

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");

function cellXml(cell: FixtureCell): string {
  const [value, options] = Array.isArray(cell)
    ? (cell as readonly [Value, CellOptions])
    : [cell as Value, {} as CellOptions];
  const attributes: string[] = [];
  let text = "";
  if (typeof value === "string") {
    attributes.push('office:value-type="string"');
    text = value;
  } else if (typeof value === "number") attributes.push(`office:value-type="float" office:value="${value}"`);
  else if (typeof value === "boolean") attributes.push(`office:value-type="boolean" office:boolean-value="${value}"`);
  else if (value !== null && "date" in value)
    attributes.push(`office:value-type="date" office:date-value="${value.date}"`);
  else if (value !== null && "percent" in value)
    attributes.push(`office:value-type="percentage" office:value="${value.percent}"`);
  else if (value !== null)
    attributes.push(`office:value-type="currency" office:currency="EUR" office:value="${value.euro}"`);
  if (options.formula) attributes.push(`table:formula="of:=${escape(options.formula)}"`);
  if (options.style) attributes.push(`table:style-name="${options.style}"`);
  if (options.validation) attributes.push(`table:content-validation-name="${options.validation}"`);
  if (options.span) {
    attributes.push(`table:number-columns-spanned="${options.span[0]}" table:number-rows-spanned="${options.span[1]}"`);
  }
  if (options.array) {
    attributes.push(
      `table:number-matrix-columns-spanned="${options.array[0]}" table:number-matrix-rows-spanned="${options.array[1]}"`,
    );
  }
  const comment = options.comment
    ? `<office:annotation><dc:creator>Ada</dc:creator><text:p>${escape(options.comment)}</text:p></office:annotation>`
    : "";
  const paragraphs =
    text === ""
      ? ""
      : text
          .split("\n")
          .map((line) => `<text:p>${escape(line)}</text:p>`)
          .join("");
  return `<table:table-cell ${attributes.join(" ")}>${comment}${options.inner ?? paragraphs}</table:table-cell>`;
}

interface FixtureSheet {
  readonly name: string;
  readonly rows: readonly (readonly FixtureCell[])[];
  readonly style?: string;
  readonly before?: string;
  readonly after?: string;
  readonly rowXml?: string;
  readonly columns?: string;
}

interface Extras {
  readonly afterSheets?: string;
  readonly beforeSheets?: string;
  readonly settings?: string;
  readonly styles?: string;
}

function fods(
  sheets: readonly FixtureSheet[],
  { afterSheets = "", beforeSheets = "", settings = "", styles = "" }: Extras = {},
): string {
  const tables = sheets.map(
    ({
      name,
      rows,
      style,
      before = "",
      after = "",
      columns = '<table:table-column table:number-columns-repeated="8"/>',
    }) =>
      `<table:table table:name="${escape(name)}" table:style-name="${style ?? "shown"}">${before}${columns}${rows
        .map((row) => `<table:table-row>${row.map(cellXml).join("") || "<table:table-cell/>"}</table:table-row>`)
        .join(
          "",
        )}${rows.length === 0 ? "<table:table-row><table:table-cell/></table:table-row>" : ""}${after}</table:table>`,
  );
  return `<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" xmlns:chart="urn:oasis:names:tc:opendocument:xmlns:chart:1.0" xmlns:config="urn:oasis:names:tc:opendocument:xmlns:config:1.0" xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2" xmlns:calcext="urn:org:documentfoundation:names:experimental:calc:xmlns:calcext:1.0" office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.spreadsheet">
${settings}
<office:styles>
<style:style style:name="Default" style:family="table-cell"/>
<style:style style:name="Bad" style:family="table-cell" style:parent-style-name="Default"><style:table-cell-properties fo:background-color="#ffcccc"/><style:text-properties fo:color="#cc0000"/></style:style>
</office:styles>
<office:automatic-styles>
<style:style style:name="shown" style:family="table"><style:table-properties table:display="true"/></style:style>
<style:style style:name="unseen" style:family="table"><style:table-properties table:display="false"/></style:style>
<style:style style:name="rtl" style:family="table"><style:table-properties table:display="true" style:writing-mode="rl-tb"/></style:style>
<style:style style:name="wide" style:family="table-column"><style:table-column-properties style:column-width="5cm"/></style:style>
<style:style style:name="head" style:family="table-cell"><style:table-cell-properties fo:background-color="#ddeeff" fo:border="0.5pt solid #000000"/><style:text-properties fo:font-weight="bold"/></style:style>
<number:date-style style:name="iso"><number:year number:style="long"/><number:text>-</number:text><number:month number:style="long"/><number:text>-</number:text><number:day number:style="long"/></number:date-style>
<number:date-style style:name="german"><number:day number:style="long"/><number:text>.</number:text><number:month number:style="long"/><number:text>.</number:text><number:year number:style="long"/><number:text> </number:text><number:hours number:style="long"/><number:text>:</number:text><number:minutes number:style="long"/></number:date-style>
<number:percentage-style style:name="share"><number:number number:decimal-places="1" number:min-integer-digits="1"/><number:text>%</number:text></number:percentage-style>
<number:currency-style style:name="money"><number:number number:decimal-places="2" number:min-integer-digits="1" number:grouping="true"/><number:text> </number:text><number:currency-symbol number:language="de" number:country="DE">€</number:currency-symbol></number:currency-style>
<number:number-style style:name="thousands"><number:number number:decimal-places="2" number:min-integer-digits="1" number:grouping="true"/></number:number-style>
<style:style style:name="date" style:family="table-cell" style:data-style-name="iso"/>
<style:style style:name="moment" style:family="table-cell" style:data-style-name="german"/>
<style:style style:name="percent" style:family="table-cell" style:data-style-name="share"/>
<style:style style:name="euro" style:family="table-cell" style:data-style-name="money"/>
<style:style style:name="grouped" style:family="table-cell" style:data-style-name="thousands"/>
<style:style style:name="red" style:family="text"><style:text-properties fo:color="#cc0000" fo:font-weight="bold"/></style:style>
<style:style style:name="wrapped" style:family="table-cell"><style:table-cell-properties fo:wrap-option="wrap"/></style:style>
${styles}
</office:automatic-styles>
<office:body><office:spreadsheet>${beforeSheets}${tables.join("\n")}${afterSheets}</office:spreadsheet></office:body>
</office:document>`;
}

/** A PNG of one colour. */
function png(): string {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(16);
  header.writeUInt32BE(16, 4);
  header.set([8, 2, 0, 0, 0], 8);
  const line = Buffer.concat([Buffer.from([0]), Buffer.alloc(48, 0x66)]);
  const pixels = deflateSync(Buffer.concat(Array.from({ length: 16 }, () => line)));
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", header),
    chunk("IDAT", pixels),
    chunk("IEND", Buffer.alloc(0)),
  ]).toString("base64");
}

const image = `<table:shapes><draw:frame draw:z-index="0" svg:x="8cm" svg:y="1cm" svg:width="2cm" svg:height="2cm"><draw:image><office:binary-data>${png()}</office:binary-data></draw:image></draw:frame></table:shapes>`;

const chart = `<draw:frame draw:z-index="0" svg:x="0.5cm" svg:y="0.2cm" svg:width="8cm" svg:height="6cm"><draw:object draw:notify-on-update-of-ranges="Chart.A1:Chart.B4"><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" office:mimetype="application/vnd.oasis.opendocument.chart" office:version="1.3"><office:body><office:chart><chart:chart chart:class="chart:bar" svg:width="8cm" svg:height="6cm"><chart:plot-area table:cell-range-address="Chart.A1:Chart.B4" chart:data-source-has-labels="both"><chart:axis chart:dimension="x"><chart:categories table:cell-range-address="Chart.A2:Chart.A4"/></chart:axis><chart:axis chart:dimension="y"/><chart:series chart:values-cell-range-address="Chart.B2:Chart.B4" chart:label-cell-address="Chart.B1"/></chart:plot-area></chart:chart></office:chart></office:body></office:document></draw:object></draw:frame>`;

const head = (...names: string[]): FixtureCell[] => names.map((name) => [name, { style: "head" }] as const);

const budget: FixtureSheet = {
  name: "Budget",
  rows: [
    head("Item", "Price", "Count", "Total"),
    ["Apples", 1.5, 4, [6, { formula: "[.B2]*[.C2]" }]],
    ["Pears", 2, 3, [6, { formula: "[.B3]*[.C3]" }]],
    ["Plums", 0.5, 10, [5, { formula: "[.B4]*[.C4]" }]],
    ["Sum", null, null, [17, { formula: "SUM([.D2:.D4])", style: "head" }]],
  ],
};

const workbooks: Readonly<Record<string, () => string>> = {
  "01-budget": () => fods([budget]),
  "02-dates": () =>
    fods([
      {
        name: "Dates",
        rows: [
          head("What", "Day", "Moment"),
          [
            "Start",
            [{ date: "2026-01-31" }, { style: "date" }],
            [{ date: "2026-01-31T12:30:00" }, { style: "moment" }],
          ],
          ["Leap", [{ date: "2024-02-29" }, { style: "date" }], [{ date: "1999-12-31T23:59:00" }, { style: "moment" }]],
          ["Days", [null, {}], [702, { formula: "[.B2]-[.B3]" }]],
        ],
      },
    ]),
  "03-currency": () =>
    fods([
      {
        name: "Money",
        rows: [
          head("Account", "Amount", "Share", "Grouped"),
          [
            "Cash",
            [{ euro: 1234.5 }, { style: "euro" }],
            [{ percent: 0.125 }, { style: "percent" }],
            [1234567.891, { style: "grouped" }],
          ],
          [
            "Debt",
            [{ euro: -99.99 }, { style: "euro" }],
            [{ percent: -0.5 }, { style: "percent" }],
            [-1234.5, { style: "grouped" }],
          ],
        ],
      },
    ]),
  "04-merged": () =>
    fods([
      {
        name: "Merged",
        rows: [
          [["Quarter", { span: [3, 1], style: "head" }], null, null, "Note"],
          ["Jan", "Feb", "Mar", ["tall", { span: [1, 2] }]],
          [10, 20, 30],
        ],
      },
    ]),
  "05-comments": () =>
    fods([
      {
        name: "Notes",
        rows: [
          ["Name", ["Value", { comment: "Checked in March.\nAgain in April." }]],
          ["Ångström", [42, { comment: "The answer" }]],
          [[null, { comment: "A note on nothing" }], 1],
        ],
      },
    ]),
  "06-image": () =>
    fods([
      {
        name: "Picture",
        before: image,
        rows: [
          ["A", 1],
          ["B", 2],
          ["C", [3, { formula: "[.B1]+[.B2]" }]],
        ],
      },
    ]),
  "07-chart": () =>
    fods([
      {
        name: "Chart",
        rows: [head("Month", "Sales"), ["Jan", 10], ["Feb", 14], ["Mar", 9], [[null, { inner: chart }]]],
      },
    ]),
  "08-sheets": () =>
    fods([
      budget,
      {
        name: "Summary",
        rows: [
          ["Total", [17, { formula: "[$Budget.D5]" }]],
          ["Twice", [34, { formula: "[.B1]*2" }]],
        ],
      },
      {
        name: "It's a list",
        rows: [
          ["x", [1.5, { formula: "[$Budget.B2]" }]],
          ["y", 2],
        ],
      },
    ]),
  "09-hidden": () => fods([budget, { name: "Secret", style: "unseen", rows: [["Salary", 100_000]] }]),
  "10-conditional": () =>
    fods([
      {
        name: "Rules",
        rows: [head("Score"), [55], [12], [80], [30]],
        after: `<calcext:conditional-formats><calcext:conditional-format calcext:target-range-address="Rules.A2:Rules.A5"><calcext:condition calcext:apply-style-name="Bad" calcext:value="&lt;40" calcext:base-cell-address="Rules.A2"/></calcext:conditional-format></calcext:conditional-formats>`,
      },
    ]),
  "11-validation": () =>
    fods(
      [
        {
          name: "Choice",
          rows: [
            ["Colour", ["red", { validation: "colours" }]],
            ["Count", [3, { validation: "small" }]],
          ],
        },
      ],
      {
        beforeSheets: `<table:content-validations><table:content-validation table:name="colours" table:condition="of:cell-content-is-in-list(&quot;red&quot;;&quot;green&quot;)" table:base-cell-address="Choice.B1"/><table:content-validation table:name="small" table:condition="of:cell-content-is-whole-number() and cell-content-is-between(1,[.$B$1])" table:base-cell-address="Choice.B2"/></table:content-validations>`,
      },
    ),
  "12-names": () =>
    fods(
      [
        {
          name: "Rates",
          rows: [
            ["Tax", 0.19],
            ["Net", 100],
            ["Gross", [119, { formula: "[.B2]*(1+tax)" }]],
          ],
        },
      ],
      {
        afterSheets: `<table:named-expressions><table:named-range table:name="tax" table:base-cell-address="$Rates.$A$1" table:cell-range-address="$Rates.$B$1"/><table:named-range table:name="all" table:base-cell-address="$Rates.$A$1" table:cell-range-address="$Rates.$A$1:.$B$3"/></table:named-expressions>`,
      },
    ),
  "13-filter": () =>
    fods(
      [
        {
          name: "People",
          rows: [head("Name", "City"), ["Ada", "London"], ["Emmy", "Erlangen"], ["Grace", "New York"]],
        },
      ],
      {
        afterSheets: `<table:database-ranges><table:database-range table:name="__Anonymous_Sheet_DB__0" table:target-range-address="People.A1:People.B4" table:display-filter-buttons="true"/></table:database-ranges>`,
      },
    ),
  "14-frozen": () =>
    fods(
      [
        {
          name: "Frozen",
          rows: [head("Id", "Value"), ...Array.from({ length: 20 }, (_, row) => [row + 1, row * row])],
        },
      ],
      {
        settings: `<office:settings><config:config-item-set config:name="ooo:view-settings"><config:config-item-map-indexed config:name="Views"><config:config-item-map-entry><config:config-item-map-named config:name="Tables"><config:config-item-map-entry config:name="Frozen"><config:config-item config:name="HorizontalSplitMode" config:type="short">2</config:config-item><config:config-item config:name="VerticalSplitMode" config:type="short">2</config:config-item><config:config-item config:name="HorizontalSplitPosition" config:type="int">1</config:config-item><config:config-item config:name="VerticalSplitPosition" config:type="int">1</config:config-item><config:config-item config:name="PositionRight" config:type="int">1</config:config-item><config:config-item config:name="PositionBottom" config:type="int">1</config:config-item></config:config-item-map-entry></config:config-item-map-named></config:config-item-map-entry></config:config-item-map-indexed></config:config-item-set></office:settings>`,
      },
    ),
  "15-right-to-left": () =>
    fods([
      {
        name: "עברית",
        style: "rtl",
        rows: [
          ["שם", "ערך"],
          ["تفاح", 3],
          ["לימון", [6, { formula: "[.B2]*2" }]],
        ],
      },
    ]),
  "16-cjk": () =>
    fods([
      {
        name: "売上表",
        rows: [
          ["商品", "価格"],
          ["りんご", 120],
          ["梨", 200],
          ["合計", [320, { formula: "SUM([.B2:.B3])" }]],
          ["𠮷野家 😀", 1],
        ],
      },
    ]),
  "17-large": () =>
    fods([
      {
        name: "Data",
        rows: [
          head("Id", "Name", "Amount", "Double", "Group"),
          ...Array.from({ length: 1500 }, (_, row): FixtureCell[] => [
            row + 1,
            `Customer ${(row * 7919) % 1500}`,
            ((row * 37) % 1000) / 10,
            [((row * 37) % 1000) / 5, { formula: `[.C${row + 2}]*2` }],
            ["north", "south", "east", "west"][row % 4] ?? "",
          ]),
        ],
      },
    ]),
  "18-empty": () => fods([{ name: "Sheet1", rows: [] }]),
  "19-errors": () =>
    fods([
      {
        name: "Errors",
        rows: [
          ["Divided", [null, { formula: "1/0" }]],
          ["Missing", [null, { formula: 'VLOOKUP("x";[.A1:.B1];2;0)' }]],
          ["True", [true, {}], [null, { formula: "AND([.B3];TRUE())" }]],
          ["Text", [null, { formula: 'CONCATENATE("a";"b")' }]],
        ],
      },
    ]),
  "20-arrays": () =>
    fods([
      {
        name: "Arrays",
        rows: [
          [1, 2, [50, { formula: "SUMPRODUCT([.A1:.A3];[.B1:.B3])" }]],
          [3, 4, [14, { formula: "SUM([.A1:.A3]*[.A1:.A3])", array: [1, 1] }]],
          [5, 9],
        ],
      },
    ]),
  "21-rich-text": () =>
    fods([
      {
        name: "Rich",
        rows: [
          [["", { inner: '<text:p>plain <text:span text:style-name="red">red</text:span> plain</text:p>' }]],
          [["two\nlines", { style: "wrapped" }]],
          ['  spaces  <&> "quotes" _x0041_ '],
          ["=not a formula", "-5", "007"],
        ],
      },
    ]),
  "22-sparse": () =>
    fods([
      {
        name: "Sparse",
        rows: [
          [1],
          ...Array.from({ length: 60 }, () => []),
          [null, null, null, null, null, null, null, "far"],
          [],
          [[2, { formula: "[.A1]+1" }]],
        ],
      },
    ]),
  "23-columns": () =>
    fods([
      {
        name: "Wide",
        columns:
          '<table:table-column table:style-name="wide"/><table:table-column table:visibility="collapse"/><table:table-column table:number-columns-repeated="58"/>',
        rows: Array.from({ length: 6 }, (_, row) => Array.from({ length: 60 }, (_, column) => row * 100 + column)),
      },
    ]),
  "24-links": () =>
    fods([
      {
        name: "Links",
        rows: [
          [
            [
              "",
              {
                inner: '<text:p><text:a xlink:href="https://example.org/" xlink:type="simple">A page</text:a></text:p>',
              },
            ],
          ],
          [["", { inner: '<text:p><text:a xlink:href="#Links.A1" xlink:type="simple">Here</text:a></text:p>' }]],
        ],
      },
    ]),
  "25-running-sum": () =>
    fods([
      {
        name: "Sum",
        rows: [
          ["Value", "Running", "Share"],
          ...Array.from({ length: 30 }, (_, row): FixtureCell[] => [
            row + 1,
            [null, { formula: row === 0 ? "[.A2]" : `[.B${row + 1}]+[.A${row + 2}]` }],
            [null, { formula: `[.A${row + 2}]/SUM([.$A$2:.$A$31])`, style: "percent" }],
          ]),
        ],
      },
    ]),
};

/** Options of the text filter: delimiter, quote, encoding, first line, formats, language, all texts quoted, as shown. */
const texts: Readonly<Record<string, { readonly of: string; readonly options: string; readonly ending?: string }>> = {
  "01-comma": { of: "01-budget", options: "44,34,76" },
  "02-semicolon": { of: "01-budget", options: "59,34,76" },
  "03-tab": { of: "01-budget", options: "9,34,76", ending: "tsv" },
  "04-pipe": { of: "01-budget", options: "124,34,76" },
  "05-all-quoted": { of: "01-budget", options: "44,34,76,1,,0,true" },
  "06-apostrophes": { of: "21-rich-text", options: "44,39,76,1,,0,true" },
  "07-utf-16": { of: "16-cjk", options: "44,34,65535" },
  "08-windows-1252": { of: "05-comments", options: "59,34,1" },
  "09-latin-1": { of: "03-currency", options: "59,34,12" },
  "10-cjk": { of: "16-cjk", options: "44,34,76" },
  "11-hebrew": { of: "15-right-to-left", options: "44,34,76" },
  "12-dates": { of: "02-dates", options: "44,34,76" },
  "13-german-numbers": { of: "03-currency", options: "59,34,76,1,,1031,false,true" },
  "14-lines-in-cells": { of: "21-rich-text", options: "44,34,76" },
  "15-large": { of: "17-large", options: "44,34,76" },
  "16-empty": { of: "18-empty", options: "44,34,76" },
  "17-errors": { of: "19-errors", options: "44,34,76" },
  "18-sparse": { of: "22-sparse", options: "44,34,76" },
  "19-wide": { of: "23-columns", options: "59,34,76" },
  "20-formulas": { of: "01-budget", options: "44,34,76,1,,0,false,false,true" },
  "21-bom": { of: "16-cjk", options: "44,34,76,1,,0,false,true,false,false,false,0,,true" },
  "22-merged": { of: "04-merged", options: "9,34,76", ending: "tsv" },
};

function convert(source: string, to: string): void {
  const profile = `-env:UserInstallation=file://${join(work, "profile")}`;
  const { status, stderr } = spawnSync(
    "soffice",
    [profile, "--headless", "--convert-to", to, "--outdir", join(work, "out"), source],
    {
      encoding: "utf8",
      timeout: 120_000,
    },
  );
  if (status !== 0) throw new Error(`LibreOffice did not convert ${source}: ${stderr}`);
}

function made(ending: string): string {
  const name = readdirSync(join(work, "out")).find((file) => file.endsWith(`.${ending}`));
  if (name === undefined) throw new Error(`LibreOffice made no ${ending}.`);
  return join(work, "out", name);
}

try {
  for (const folder of ["xlsx", "csv"]) {
    rmSync(join(here, "fixtures", folder), { recursive: true, force: true });
    mkdirSync(join(here, "fixtures", folder), { recursive: true });
  }
  for (const [name, make] of Object.entries(workbooks)) {
    const source = join(work, `${name}.fods`);
    writeFileSync(source, make());
    convert(source, "xlsx");
    renameSync(made("xlsx"), join(here, "fixtures/xlsx", `${name}.xlsx`));
  }
  for (const [name, { of, options, ending = "csv" }] of Object.entries(texts)) {
    convert(join(here, "fixtures/xlsx", `${of}.xlsx`), `csv:Text - txt - csv (StarCalc):${options}`);
    renameSync(made("csv"), join(here, "fixtures/csv", `${name}.${ending}`));
  }
} finally {
  rmSync(work, { recursive: true, force: true });
}

const chunk = (type: string, data: Buffer): Buffer => {
  const body = Buffer.concat([Buffer.from(type), data]);
  let crc = ~0;
  for (const byte of body) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xed_b8_83_20 : 0);
  }
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length);
  ends.writeUInt32BE(~crc >>> 0, 4);
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)]);
};
