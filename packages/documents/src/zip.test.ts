import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { archive, descriptor, zip64Extra, type End, type Made } from "../test/hostile-zip.ts";
import { refusedWith } from "../test/refused.ts";
import { documentLimits } from "./limits.ts";
import { OfficePackage } from "./package.ts";
import { entryOf, readZip, writeZip } from "./zip.ts";

const zeros = (length: number): Uint8Array => new Uint8Array(length);

/** Why a package is refused when it is opened, or when all of it is read; null where it is not. */
function refused(bytes: Uint8Array): string | null {
  return refusedWith(() => {
    const document = OfficePackage.open(bytes);
    for (const name of document.names) document.bytes(name);
  });
}

/** An entry that says that it is large. */
function says(size: number): Made {
  return { size, local: { size } };
}

describe("S10: a package is refused before it is inflated", () => {
  const cases: [what: string, files: Made[], end?: End][] = [
    ["leads out by its name", [{ name: "../evil.xml" }]],
    ["leads out in the middle of its name", [{ name: "word/../../evil.xml" }]],
    ["has an absolute name", [{ name: "/etc/passwd" }]],
    ["has a drive in its name", [{ name: "C:/evil.xml" }]],
    ["has backslashes in its name", [{ name: "..\\evil.xml" }]],
    ["has a NUL in its name", [{ name: "word/document.xml\0.png" }]],
    ["has an empty step in its name", [{ name: "word//document.xml" }]],
    ["has a dot for a step of its name", [{ name: "./word/document.xml" }]],
    ["has no name", [{ name: "" }]],
    ["has a name that is no UTF-8", [{ name: new Uint8Array([0xff, 0xfe, 0x41]) }]],
    ["has a huge name", [{ name: "n".repeat(60_000) }]],
    ["has a name twice", [{ name: "a.xml" }, { name: "a.xml" }]],
    ["has a name twice, once in capitals", [{ name: "word/document.xml" }, { name: "Word/Document.XML" }]],
    ["has a name twice, composed and decomposed", [{ name: "\u00e9.xml" }, { name: "e\u0301.xml" }]],
    ["has a file where it has a folder", [{ name: "word/", content: zeros(0) }, { name: "word" }]],
    ["has a folder with content", [{ name: "word/" }]],
    ["is encrypted", [{ flags: 1 }]],
    ["is encrypted strongly", [{ flags: 0x41 }]],
    ["hides its headers", [{ flags: 0x2000 }]],
    ["is compressed with another method", [{ method: 12 }]],
    ["holds a symbolic link", [{ madeBy: (3 << 8) | 20, external: 0xa1ff * 0x10000 }]],
    ["holds a symbolic link from an unknown system", [{ madeBy: 20, external: 0xa1ff * 0x10000 }]],
    ["holds a device", [{ madeBy: (3 << 8) | 20, external: 0x61b6 * 0x10000 }]],
    ["is on several disks", [{}], { disk: 1 }],
    ["has an entry on another disk", [{ disk: 1 }]],
    ["says that it has more entries", [{}], { entries: 2 }],
    ["says that it has fewer entries", [{ name: "a" }, { name: "b" }], { entries: 1 }],
    ["counts differently on this disk", [{}], { entriesHere: 2, entries: 1 }],
    ["has a directory of another size", [{}], { size: 10 }],
    ["has a directory elsewhere", [{}], { offset: 3 }],
    ["names an entry differently in its local header", [{ local: { name: "evil.xml" } }]],
    ["compresses differently in its local header", [{ local: { method: 0 } }]],
    ["has other flags in its local header", [{ local: { flags: 0x800 } }]],
    ["has another checksum in its local header", [{ local: { crc: 1 } }]],
    ["has another size in its local header", [{ local: { size: 3 } }]],
    ["has another compressed size in its local header", [{ local: { compressedSize: 3 } }]],
    ["has bytes between its entries", [{ name: "a", after: Buffer.from("hidden") }, { name: "b" }]],
    ["has bytes before its directory", [{ after: Buffer.from("hidden") }]],
    ["has overlapping entries", [{ name: "a" }, { name: "b", offset: 0, local: { name: "b" } }]],
    ["has an entry that begins within another", [{ name: "a" }, { name: "b", offset: 5 }]],
    ["has an entry behind its end", [{ offset: 10_000 }]],
    ["has an entry that goes on into the directory", [{ compressedSize: 100_000, local: { compressedSize: 100_000 } }]],
    ["promises sizes after its data that are not there", [{ flags: 8, local: { crc: 0, size: 0, compressedSize: 0 } }]],
    [
      "says wrong sizes after its data",
      [{ flags: 8, local: { crc: 0, size: 0, compressedSize: 0 }, after: descriptor(1, 2, 3) }],
    ],
    ["stores less than it says", [{ method: 0, size: 100, local: { size: 100 } }]],
    ["says it has an impossible size", [{ size: 0xffffffff, extra: zip64Extra(2n ** 63n) }]],
    ["says it has a ZIP64 size and has none", [{ size: 0xffffffff, extra: zip64Extra() }]],
    ["gives its ZIP64 sizes twice", [{ extra: Buffer.concat([zip64Extra(7n), zip64Extra(8n)]) }]],
    ["has a ZIP64 directory that counts differently", [{}], { zip64: { entries: 7n } }],
    ["has a ZIP64 directory elsewhere", [{}], { zip64: { offset: 1n } }],
    ["has a ZIP64 directory of another size", [{}], { zip64: { size: 1n } }],
    ["has a ZIP64 record elsewhere", [{}], { zip64: { at: 0n } }],
    ["has a ZIP64 record beyond any file", [{}], { zip64: { at: 2n ** 60n } }],
    ["has an end in its comment", [{}], { comment: archive([{}]).slice(-22) }],
  ];
  test.each(cases)("that %s", (_, files, end) => {
    expect(refused(archive(files, end))).not.toBeNull();
  });

  test("that is no package, is cut anywhere, or goes on after its end", () => {
    const good = archive([{ name: "a.xml" }, { name: "b.xml" }]);
    expect(refused(zeros(0))).not.toBeNull();
    expect(refused(Buffer.from("PK"))).not.toBeNull();
    for (let length = 0; length < good.length; length++) expect(refused(good.subarray(0, length))).not.toBeNull();
    expect(refused(Buffer.concat([good, Buffer.from("x")]))).not.toBeNull();
    expect(refused(Buffer.concat([Buffer.from("#!/bin/sh\n"), good]))).not.toBeNull();
    expect(refused(Buffer.concat([good, good]))).not.toBeNull();
  });

  test("that has more entries, larger parts, more bytes, or grows more than allowed", () => {
    const many = Array.from({ length: documentLimits.entries + 1 }, (_, at) => ({
      name: `p${at}`,
      content: zeros(0),
      method: 0,
    }));
    expect(refused(archive(many))).toContain(String(documentLimits.entries));
    expect(refused(archive([says(documentLimits.partBytes + 1)]))).toContain(String(documentLimits.partBytes));
    const parts = Array.from({ length: 6 }, (_, at) => ({ ...says(documentLimits.partBytes), name: `p${at}` }));
    expect(refused(archive(parts))).toContain(String(documentLimits.totalBytes));
    const bomb = archive([{ content: zeros(documentLimits.ratioFromBytes + 1) }]);
    expect(refused(bomb)).toContain(`more than ${documentLimits.ratio} times`);
  });
});

describe("S10: an entry is never inflated beyond what it declares", () => {
  test("where it lies about its size, its checksum, or its end", () => {
    const content = zeros(5_000_000);
    expect(refused(archive([{ content, size: 100 }]))).toContain("larger than it says");
    expect(refused(archive([{ content: Buffer.from("abc"), size: 100 }]))).toContain("not as large");
    expect(refused(archive([{ crc: 7 }]))).toContain("checksum");
    expect(refused(archive([{ data: Buffer.from("no deflate stream at all") }]))).toContain("damaged");
    const [entry] = readZip(archive([{}]));
    const data = Buffer.concat([entry?.compressed ?? zeros(0), Buffer.from("hidden")]);
    expect(refused(archive([{ data }]))).toContain("after its end");
  });

  test("and an archive within an archive is a part like any other", () => {
    const inner = archive([{ content: zeros(1000) }]);
    const bytes = archive([{ name: "word/embeddings/inner.zip", content: inner }]);
    expect(Buffer.from(OfficePackage.open(bytes).bytes("word/embeddings/inner.zip"))).toEqual(Buffer.from(inner));
  });

  test("whatever bytes of a package are changed, it opens or is refused", () => {
    const good = archive([
      { name: "a.xml", content: Buffer.from("<a/>") },
      { name: "b.xml", flags: 8, after: zeros(0) },
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }),
        (changes) => {
          const bytes = Uint8Array.from(good);
          for (const [at, value] of changes) bytes[at] = value;
          // Anything else than a refusal would be thrown on.
          expect(refused(bytes) ?? "read").not.toBe("");
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe("Packages as programs write them", () => {
  const content = Buffer.from("written as a stream");
  const streamed = (after: Uint8Array, extra?: Uint8Array): Made => ({
    content,
    flags: 8,
    after,
    local: {
      crc: 0,
      size: 0,
      compressedSize: 0,
      ...(extra && { extra, size: 0xffffffff, compressedSize: 0xffffffff }),
    },
  });
  const deflated = entryOf("x", content);
  const crc = deflated.crc;
  const length = readZip(archive([{ content }]))[0]?.compressed.length ?? 0;

  test.each([
    ["with sizes after the data", streamed(descriptor(crc, length, content.length))],
    ["without the signature before them", streamed(descriptor(crc, length, content.length, false))],
    ["with ZIP64 fields for small files", streamed(descriptor(crc, length, content.length), zip64Extra(0n, 0n))],
    ["with hints on compression in one header", { content, flags: 2, local: { flags: 0 } }],
  ] satisfies [string, Made][])("are read: %s", (_, made) => {
    const bytes = archive([made, { ...made, name: "second.xml" }]);
    expect(Buffer.from(OfficePackage.open(bytes).bytes("PART.xml")).toString()).toBe(content.toString());
  });

  test("are read with a ZIP64 directory that is right, and with a comment", () => {
    expect(readZip(archive([{}], { zip64: {} }))).toHaveLength(1);
    expect(readZip(archive([{}], { zip64: {}, entries: 0xffff, size: 0xffffffff, offset: 0xffffffff }))).toHaveLength(
      1,
    );
    expect(readZip(archive([{}], { comment: Buffer.from("made by a program") }))).toHaveLength(1);
  });

  test("are saved without a clock, and what nobody put keeps its compressed bytes", () => {
    const bytes = archive([{ name: "a.xml" }, { name: "word/", content: zeros(0), method: 0 }, { name: "b.xml" }]);
    const document = OfficePackage.open(bytes);
    expect(document.save()).toBe(bytes);
    document.put("b.xml", "new");
    document.put("c.xml", "third");
    const saved = document.save();
    expect(readZip(saved).map((entry) => entry.name)).toEqual(["a.xml", "word/", "b.xml", "c.xml"]);
    expect(readZip(saved)[0]).toEqual(readZip(bytes)[0]);
    expect(OfficePackage.open(saved).text("B.xml")).toBe("new");
    expect(readZip(writeZip(readZip(saved)))).toEqual(readZip(saved));
    const again = OfficePackage.open(bytes);
    again.put("b.xml", "new");
    again.put("c.xml", "third");
    expect(Buffer.compare(again.save(), saved)).toBe(0);
    again.remove("A.XML");
    expect(OfficePackage.open(again.save()).names).toEqual(["b.xml", "c.xml"]);
    expect(refusedWith(() => again.put("../evil", "x"))).not.toBeNull();
  });
});
