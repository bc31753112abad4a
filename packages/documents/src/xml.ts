import { documentLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";
import { transitional, xmlNamespace, xmlnsNamespace } from "./xml-names.ts";
import {
  illegalInXml,
  XmlDocument,
  XmlElement,
  XmlOther,
  XmlText,
  type XmlAttribute,
  type XmlNode,
} from "./xml-tree.ts";

export { relationshipKind, xmlNamespace } from "./xml-names.ts";
export {
  escapeAttribute,
  escapeText,
  XmlDocument,
  XmlElement,
  XmlOther,
  XmlText,
  type XmlAttribute,
  type XmlNode,
} from "./xml-tree.ts";

/**
 * A strict reader of XML 1.0 with namespaces, without document types and their entities, which no Office document has and which
 * attacks are made of. Its tree remembers where each part of it stood in the source: what nobody changes is written back
 * character by character, so that an edit can lose nothing that its writer does not know.
 */
export function parseXml(source: string): XmlDocument {
  return new Parser(source).document();
}

const startChars =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}";
const nameToken = `[${startChars}][${startChars}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;
const nameAt = new RegExp(`${nameToken}(?::${nameToken})?`, "uy");
const spaceAt = /[ \t\r\n]*/y;
const declarationAt = /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n][^<>]*)?\?>/y;

/** An element that has begun. Frames are used again, so that what is in an element is one list of the right length. */
interface Frame {
  element: XmlElement;
  start: number;
  open: number;
  scope: Map<string, string>;
  readonly children: XmlNode[];
  count: number;
}

/** A name as it is written, and what is known of it. */
interface Name {
  readonly written: string;
  readonly local: string;
  /** Undefined for one without a prefix. */
  readonly prefix: string | undefined;
}

class Parser {
  readonly #source: string;
  #at = 0;
  #nodes = 0;
  #depth = 0;
  readonly #frames: Frame[] = [];
  readonly #names = new Map<string, Name>();

  constructor(source: string) {
    this.#source = source;
  }

  document(): XmlDocument {
    const source = this.#source;
    if (source.length > limits.xmlLength) throw refusal("A part of the document is too large to be read.");
    if (illegalInXml.test(source) || !source.isWellFormed()) throw this.#broken("characters that XML does not allow");
    if (source.startsWith("<?xml") && /\s/.test(source[5] ?? "")) {
      if (!this.#match(declarationAt)) throw this.#broken("a declaration of another version");
    }
    this.#misc();
    const start = this.#at;
    const root = this.#element();
    const end = this.#at;
    this.#misc();
    if (this.#at !== source.length) throw this.#broken("something after its end");
    return new XmlDocument(root, source.slice(0, start), source.slice(end));
  }

  /** Space, comments and instructions around the root. */
  #misc(): void {
    for (;;) {
      this.#match(spaceAt);
      if (!this.#other()) return;
    }
  }

  #element(): XmlElement {
    const source = this.#source;
    const root = this.#startTag(new Map([["xml", xmlNamespace]]));
    while (this.#depth > 0) {
      const top = this.#frames[this.#depth - 1] as Frame;
      if (source.charCodeAt(this.#at) !== lessThan) {
        this.#text(top);
        continue;
      }
      const next = source.charCodeAt(this.#at + 1);
      if (next === slash) {
        this.#endTag(top);
      } else if (next === exclamation && source.startsWith("<![CDATA[", this.#at)) {
        const end = source.indexOf("]]>", this.#at);
        if (end === -1) throw this.#broken("a section that does not end");
        const raw = source.slice(this.#at, end + 3);
        this.#put(top, new XmlText(newLines(raw.slice(9, -3)), raw));
        this.#at = end + 3;
      } else if (next === exclamation || next === question) {
        const other = this.#other();
        if (!other) throw this.#broken("a declaration, which Office documents do not have");
        this.#put(top, other);
      } else {
        this.#put(top, this.#startTag(top.scope));
      }
    }
    return root;
  }

  #startTag(outer: Map<string, string>): XmlElement {
    const source = this.#source;
    const start = this.#at;
    if (source.charCodeAt(start) !== lessThan) throw this.#broken("no element");
    this.#at++;
    const name = this.#name();
    if (!name) {
      throw this.#broken(source.startsWith("!DOCTYPE", this.#at) ? "a document type" : "a tag without a name");
    }
    if (this.#depth >= limits.xmlDepth) throw refusal("A part of the document is nested too deeply.");
    const { attributes, scope } = this.#attributes(outer);
    const closed = source.charCodeAt(this.#at) === slash;
    if (source.charCodeAt(this.#at + (closed ? 1 : 0)) !== greaterThan) throw this.#broken("a tag that does not end");
    this.#at += closed ? 2 : 1;
    const element = new XmlElement(name.written, this.#namespace(name, scope), attributes, name.local);
    if (closed) element.place(source, start, this.#at, this.#at);
    else this.#push(element, start, scope);
    return element;
  }

  #push(element: XmlElement, start: number, scope: Map<string, string>): void {
    const frame = this.#frames[this.#depth++];
    if (!frame) {
      this.#frames.push({ element, start, open: this.#at, scope, children: [], count: 0 });
      return;
    }
    frame.element = element;
    frame.start = start;
    frame.open = this.#at;
    frame.scope = scope;
    frame.count = 0;
  }

  /** The attributes of a tag, up to what is no white space after them. */
  #attributes(outer: Map<string, string>): { attributes: readonly XmlAttribute[]; scope: Map<string, string> } {
    const written: { name: Name; value: string }[] = [];
    let scope = outer;
    for (;;) {
      const spaced = this.#space();
      const next = this.#source.charCodeAt(this.#at);
      if (next === greaterThan || next === slash) break;
      const name = spaced ? this.#name() : undefined;
      if (!name) throw this.#broken("a bad attribute");
      if (written.length >= limits.xmlAttributes) throw refusal("An element of the document has too many attributes.");
      const value = this.#quoted();
      written.push({ name, value });
      if (name.written === "xmlns" || name.prefix === "xmlns") {
        if (scope === outer) scope = new Map(outer);
        this.#declare(scope, name.prefix === undefined ? "" : name.local, value);
      }
    }
    if (written.length === 0) return { attributes: noAttributes, scope };
    const attributes = written.map(({ name, value }) => this.#resolved(name, value, scope));
    if (attributes.length > 1) this.#refuseEqual(attributes);
    return { attributes, scope };
  }

  /** An equals sign and a value in quotes. */
  #quoted(): string {
    const source = this.#source;
    this.#space();
    if (source.charCodeAt(this.#at) !== equalsSign) throw this.#broken("a bad attribute");
    this.#at++;
    this.#space();
    const quote = source[this.#at];
    const end = quote === '"' || quote === "'" ? source.indexOf(quote, this.#at + 1) : -1;
    if (end === -1) throw this.#broken("a bad attribute");
    const raw = source.slice(this.#at + 1, end);
    if (raw.includes("<")) throw this.#broken("a bad attribute");
    this.#at = end + 1;
    return this.#value(raw);
  }

  #space(): boolean {
    const start = this.#at;
    while (isSpace(this.#source.charCodeAt(this.#at))) this.#at++;
    return this.#at > start;
  }

  /** A name here; undefined where there is none. Names are few, and each is kept once. */
  #name(): Name | undefined {
    const start = this.#at;
    let end = start;
    while (isPlainNameChar(this.#source.charCodeAt(end))) end++;
    let written = this.#source.slice(start, end);
    const known =
      this.#source.charCodeAt(end) < 0x80 || end === this.#source.length ? this.#names.get(written) : undefined;
    if (known) {
      this.#at = end;
      return known;
    }
    const matched = this.#match(nameAt)?.[0];
    if (matched === undefined) return undefined;
    written = matched;
    const colon = written.indexOf(":");
    const name = {
      written,
      local: written.slice(colon + 1),
      prefix: colon === -1 ? undefined : written.slice(0, colon),
    };
    this.#names.set(written, name);
    return name;
  }

  #endTag({ element, start, open, children, count }: Frame): void {
    this.#at += 2;
    if (!this.#source.startsWith(element.name, this.#at)) throw this.#broken("tags that do not match");
    this.#at += element.name.length;
    this.#space();
    if (this.#source.charCodeAt(this.#at) !== greaterThan) throw this.#broken("tags that do not match");
    this.#at++;
    element.place(this.#source, start, open, this.#at);
    if (count > 0) element.hold(children.slice(0, count));
    this.#depth--;
  }

  #text(top: Frame): void {
    const found = this.#source.indexOf("<", this.#at);
    if (found === -1) throw this.#broken("no end");
    const raw = this.#source.slice(this.#at, found);
    if (raw.includes("]]>")) throw this.#broken("the end of a section that did not begin");
    const value = this.#entities(newLines(raw));
    // What the writer would write the same way need not be kept twice.
    this.#put(top, value === raw && !raw.includes(">") ? new XmlText(value) : new XmlText(value, raw));
    this.#at = found;
  }

  /** A comment or an instruction here, or nothing. */
  #other(): XmlOther | undefined {
    const source = this.#source;
    const start = this.#at;
    if (source.startsWith("<!--", start)) {
      const end = source.indexOf("--", start + 4);
      if (end === -1 || source[end + 2] !== ">") throw this.#broken("a comment that does not end");
      this.#at = end + 3;
    } else if (source.startsWith("<?", start)) {
      const end = source.indexOf("?>", start + 2);
      this.#at = start + 2;
      const name = this.#name();
      if (end === -1 || !name || name.written.toLowerCase() === "xml" || name.prefix !== undefined) {
        throw this.#broken("a bad instruction");
      }
      this.#at = end + 2;
    } else return undefined;
    return new XmlOther(source.slice(start, this.#at));
  }

  #declare(scope: Map<string, string>, prefix: string, uri: string): void {
    if (prefix === "xmlns" || (prefix === "xml") !== (uri === xmlNamespace) || (prefix !== "" && uri === "")) {
      throw this.#broken("a bad namespace");
    }
    scope.set(prefix, transitional(uri));
  }

  #namespace({ prefix }: Name, scope: Map<string, string>): string {
    if (prefix === undefined) return scope.get("") ?? "";
    const namespace = scope.get(prefix);
    if (namespace === undefined) throw this.#broken("a prefix that is not declared");
    return namespace;
  }

  #resolved(name: Name, value: string, scope: Map<string, string>): XmlAttribute {
    const { written, local, prefix } = name;
    if (written === "xmlns" || prefix === "xmlns") return { name: written, local, namespace: xmlnsNamespace, value };
    return { name: written, local, namespace: prefix === undefined ? "" : this.#namespace(name, scope), value };
  }

  #refuseEqual(attributes: readonly XmlAttribute[]): void {
    const seen = new Set<string>();
    for (const { local, namespace } of attributes) seen.add(`${namespace} ${local}`);
    if (seen.size !== attributes.length) throw this.#broken("an attribute twice");
  }

  /** Attribute values are normalised as XML says (section 3.3.3): written white space becomes spaces. */
  #value(raw: string): string {
    return this.#entities(newLines(raw).replace(/[\t\n]/g, " "));
  }

  #entities(text: string): string {
    if (!text.includes("&")) return text;
    return text.replace(/&([^;&]*;?)/g, (_, body: string) => {
      const named = named5[body];
      if (named !== undefined) return named;
      const code = /^#x[0-9A-Fa-f]{1,6};$/.test(body)
        ? Number.parseInt(body.slice(2), 16)
        : /^#[0-9]{1,7};$/.test(body)
          ? Number.parseInt(body.slice(1), 10)
          : -1;
      const allowed =
        code === 9 ||
        code === 10 ||
        code === 13 ||
        (code >= 0x20 && code <= 0x10_ffff && (code & 0xff_f800) !== 0xd800);
      if (!allowed || code === 0xfffe || code === 0xffff) throw this.#broken("an entity that XML itself does not have");
      return String.fromCodePoint(code);
    });
  }

  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#source);
    if (!found) return undefined;
    this.#at = pattern.lastIndex;
    return found;
  }

  #put(frame: Frame, node: XmlNode): void {
    if (++this.#nodes > limits.xmlNodes) throw refusal("A part of the document has too many elements.");
    frame.children[frame.count++] = node;
  }

  #broken(what: string): Error {
    return refusal(`A part of the document is no XML that Office documents are made of: it has ${what}.`);
  }
}

const lessThan = 0x3c;
const greaterThan = 0x3e;
const slash = 0x2f;
const equalsSign = 0x3d;
const noAttributes: readonly XmlAttribute[] = [];
const exclamation = 0x21;
const question = 0x3f;
const named5: Readonly<Record<string, string>> = {
  __proto__: null as unknown as string,
  "amp;": "&",
  "lt;": "<",
  "gt;": ">",
  "quot;": '"',
  "apos;": "'",
};

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09 || code === 0x0a || code === 0x0d;
}

/** Letters, digits and marks of ASCII that names are made of; others are looked at more closely. */
function isPlainNameChar(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) ||
    (code >= 0x41 && code <= 0x5a) ||
    (code >= 0x2d && code <= 0x3a && code !== slash) ||
    code === 0x5f
  );
}

function newLines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}
