import { documentLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";
import { parseXml, type XmlDocument } from "./xml.ts";
import { entryOf, foldName, inflateEntry, readZip, refuseName, writeZip, type ZipEntry } from "./zip.ts";

export interface Relationship {
  readonly id: string;
  readonly type: string;
  /** The name of a part; a URL, or whatever stands there, where it is external. */
  readonly target: string;
  readonly external: boolean;
}

/**
 * The parts of an Office document. Parts are read when they are asked for, and saved as they were unless they were put: one
 * that nobody touched keeps its compressed bytes. Everything that hostile bytes can cause is `VALIDATION_FAILED`.
 */
export class OfficePackage {
  readonly #original: Uint8Array;
  /** By the folded name: Office programs do not tell upper from lower case. Folders of the archive are among them. */
  readonly #entries: Map<string, ZipEntry>;
  readonly #documents = new Map<string, XmlDocument>();
  #types: { defaults: Map<string, string>; overrides: Map<string, string> } | undefined;
  #changed = false;

  private constructor(original: Uint8Array, entries: readonly ZipEntry[]) {
    this.#original = original;
    this.#entries = new Map(entries.map((entry) => [foldName(entry.name), entry]));
  }

  static open(bytes: Uint8Array): OfficePackage {
    return new OfficePackage(bytes, readZip(bytes));
  }

  /** One without parts. */
  static empty(): OfficePackage {
    return new OfficePackage(new Uint8Array(), []);
  }

  /** The parts, in the order of the archive. */
  get names(): readonly string[] {
    return [...this.#entries.values()].map((entry) => entry.name).filter((name) => !name.endsWith("/"));
  }

  has(name: string): boolean {
    return this.#entries.has(foldName(name));
  }

  bytes(name: string): Uint8Array {
    const entry = this.#entries.get(foldName(name));
    if (!entry) throw refusal(`The document has no part "${name}".`);
    return inflateEntry(entry);
  }

  text(name: string): string {
    return decodeXml(this.bytes(name), name);
  }

  /** Parsed once; the same tree for everybody who asks, until the part is put. Saved only by `put`. */
  xml(name: string): XmlDocument {
    const key = foldName(name);
    let document = this.#documents.get(key);
    if (!document) {
      document = parseXml(this.text(name));
      this.#documents.set(key, document);
    }
    return document;
  }

  /** What a part refers to; the package itself has the name "". */
  relationships(name: string): Relationship[] {
    const part = relationshipsPart(name);
    if (!this.has(part)) return [];
    const ids = new Set<string>();
    return this.xml(part)
      .root.elements("Relationship")
      .map((element) => {
        const id = element.attribute("Id", "") ?? "";
        if (ids.has(id)) throw refusal(`The part "${part}" has two relationships of one name.`);
        ids.add(id);
        const external = element.attribute("TargetMode", "") === "External";
        const target = element.attribute("Target", "") ?? "";
        const type = element.attribute("Type", "") ?? "";
        return { id, type, target: external ? target : this.#resolved(name, target), external };
      });
  }

  /** Adds a relationship of a part and gives its id. */
  addRelationship(name: string, type: string, target: string, external = false): string {
    const part = relationshipsPart(name);
    const xml = this.has(part) ? this.text(part) : emptyRelationships;
    const document = parseXml(xml);
    const used = new Set(document.root.elements().map((element) => element.attribute("Id", "")));
    let number = used.size + 1;
    while (used.has(`rId${number}`)) number++;
    const attributes = { Id: `rId${number}`, Type: type, Target: target };
    document.root.append(
      document.root.create("Relationship", external ? { ...attributes, TargetMode: "External" } : attributes),
    );
    this.put(part, document.toString());
    return `rId${number}`;
  }

  contentTypeOf(name: string): string | undefined {
    const { defaults, overrides } = this.#contentTypes();
    const extension = /\.([^./]+)$/.exec(name)?.[1] ?? "";
    return overrides.get(foldName(name)) ?? defaults.get(foldName(extension));
  }

  /** Names the content type of one part. */
  setContentType(name: string, type: string): void {
    const document = parseXml(this.text(contentTypes));
    const written = `/${name}`;
    const known = document.root
      .elements("Override")
      .find((element) => foldName(element.attribute("PartName", "") ?? "") === foldName(written));
    if (known) known.setAttribute("ContentType", type);
    else document.root.append(document.root.create("Override", { PartName: written, ContentType: type }));
    this.put(contentTypes, document.toString());
  }

  /** Puts new content in place of a part, or a new part at the end. */
  put(name: string, content: string | Uint8Array): void {
    refuseName(name);
    const bytes = typeof content === "string" ? Buffer.from(content) : content;
    if (bytes.length > limits.partBytes)
      throw refusal(`The part "${name}" would have more than ${limits.partBytes} bytes.`);
    const previous = this.#entries.get(foldName(name));
    this.#entries.set(foldName(name), entryOf(previous?.name ?? name, bytes, previous));
    this.#forget(name);
  }

  remove(name: string): void {
    if (this.#entries.delete(foldName(name))) this.#forget(name);
  }

  /** The same bytes as were opened where nothing was put or removed. */
  save(): Uint8Array {
    return this.#changed ? writeZip([...this.#entries.values()]) : this.#original;
  }

  #forget(name: string): void {
    this.#changed = true;
    this.#documents.delete(foldName(name));
    if (foldName(name) === foldName(contentTypes)) this.#types = undefined;
  }

  #contentTypes(): { defaults: Map<string, string>; overrides: Map<string, string> } {
    if (this.#types) return this.#types;
    const types = { defaults: new Map<string, string>(), overrides: new Map<string, string>() };
    for (const element of this.xml(contentTypes).root.elements()) {
      const type = element.attribute("ContentType", "") ?? "";
      const [map, key] =
        element.local === "Default"
          ? [types.defaults, element.attribute("Extension", "") ?? ""]
          : [types.overrides, (element.attribute("PartName", "") ?? "").replace(/^\//, "")];
      if (map.has(foldName(key))) throw refusal("The document gives a part two content types.");
      map.set(foldName(key), type);
    }
    this.#types = types;
    return types;
  }

  /** A target is a path from the folder of its part, or from the root. It cannot lead out of the package. */
  #resolved(from: string, target: string): string {
    const [path = ""] = target.split("#");
    const steps = path.startsWith("/") || from === "" ? [] : from.split("/").slice(0, -1);
    for (const step of path.split("/")) {
      if (step === "..") {
        if (steps.length === 0) throw refusal("A relationship of the document leads out of it.");
        steps.pop();
      } else if (step !== "" && step !== ".") steps.push(step);
    }
    const name = steps.join("/");
    const written = this.#entries.get(foldName(name)) ?? this.#entries.get(foldName(unescaped(name)));
    return written?.name ?? name;
  }
}

export const contentTypes = "[Content_Types].xml";

const emptyRelationships =
  '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"></Relationships>';

function relationshipsPart(name: string): string {
  const slash = name.lastIndexOf("/");
  return `${name.slice(0, slash + 1)}_rels/${name.slice(slash + 1)}.rels`;
}

function unescaped(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

/** XML is UTF-8 or UTF-16 here, as OPC says (ISO 29500-2, 8.1.3). Another encoding could hide one document in another. */
export function decodeXml(bytes: Uint8Array, name: string): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw refusal(`The part "${name}" is not written in UTF-8 or UTF-16.`);
  }
  const declared = /^<\?xml\s[^>]*?encoding\s*=\s*["']([^"']*)["']/.exec(text)?.[1]?.toLowerCase();
  const agrees = declared === undefined || accepted[encoding].includes(declared);
  if (!agrees) throw refusal(`The part "${name}" says that it is written in another encoding than UTF-8.`);
  return text;
}

const accepted = {
  "utf-8": ["utf-8", "utf8", "us-ascii", "ascii"],
  "utf-16le": ["utf-16", "utf-16le"],
  "utf-16be": ["utf-16", "utf-16be"],
};
