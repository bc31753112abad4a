import { documentLimits as limits } from "./limits.ts";
import { refusal } from "./refusal.ts";

/**
 * A strict reader of XML 1.0 with namespaces, without document types and their entities, which no Office document has and which
 * attacks are made of. Its tree remembers where each part of it stood in the source: what nobody changes is written back
 * character by character, so that an edit can lose nothing that its writer does not know.
 */
export function parseXml(source: string): XmlDocument {
  return new Parser(source).document();
}

export type XmlNode = XmlElement | XmlText | XmlOther;

export class XmlDocument {
  readonly root: XmlElement;
  readonly #before: string;
  readonly #after: string;

  constructor(root: XmlElement, before: string, after: string) {
    this.root = root;
    this.#before = before;
    this.#after = after;
  }

  /** Meant to be written as UTF-8. */
  toString(): string {
    const before = this.#before.replace(/^(<\?xml\s[^>]*?encoding\s*=\s*["'])utf-16(?:le|be)?/i, "$1UTF-8");
    const out: string[] = [before];
    write(this.root, out);
    out.push(this.#after);
    return out.join("");
  }
}

/** Text and CDATA. */
export class XmlText {
  readonly kind = "text";
  parent: XmlElement | null = null;
  #value: string;
  #raw: string | undefined;

  constructor(value: string, raw?: string) {
    this.#value = value;
    this.#raw = raw;
  }

  get value(): string {
    return this.#value;
  }

  set value(value: string) {
    this.#value = value;
    this.#raw = undefined;
    this.parent?.touch();
  }

  toString(): string {
    return this.#raw ?? escapeText(this.#value);
  }

  clone(): XmlText {
    return new XmlText(this.#value, this.#raw);
  }
}

/** A comment or an instruction, kept as it is. */
export class XmlOther {
  readonly kind = "other";
  parent: XmlElement | null = null;
  readonly #raw: string;

  constructor(raw: string) {
    this.#raw = raw;
  }

  toString(): string {
    return this.#raw;
  }

  clone(): XmlOther {
    return new XmlOther(this.#raw);
  }
}

export interface XmlAttribute {
  /** As it is written, with its prefix. */
  readonly name: string;
  readonly local: string;
  /** Empty for one without a prefix. */
  readonly namespace: string;
  readonly value: string;
}

interface Span {
  readonly source: string;
  readonly start: number;
  /** After the `>` of the start tag. */
  readonly open: number;
  readonly end: number;
  readonly closed: boolean;
}

export class XmlElement {
  readonly kind = "element";
  /** As it is written, with its prefix. */
  readonly name: string;
  readonly local: string;
  /** Namespaces of the strict variant of Office documents are given as those of the transitional one. */
  readonly namespace: string;
  parent: XmlElement | null = null;
  #attributes: XmlAttribute[];
  #children: XmlNode[] = [];
  /** Where it stands in the source; the start tag of it is good until attributes change, the rest until anything below does. */
  #span: Span | undefined;
  #tagTouched = false;
  #touched = false;

  constructor(name: string, namespace: string, attributes: XmlAttribute[] = []) {
    this.name = name;
    this.local = localOf(name);
    this.namespace = namespace;
    this.#attributes = attributes;
  }

  /** The prefix with its colon, as new relatives of this element need it; empty for none. */
  get prefix(): string {
    return this.name.slice(0, this.name.length - this.local.length);
  }

  get attributes(): readonly XmlAttribute[] {
    return this.#attributes;
  }

  get children(): readonly XmlNode[] {
    return this.#children;
  }

  /** The value of an attribute by its local name; in a namespace where one is given, else in whichever. */
  attribute(local: string, namespace?: string): string | undefined {
    for (const attribute of this.#attributes) {
      if (attribute.local === local && (namespace === undefined || attribute.namespace === namespace)) {
        return attribute.value;
      }
    }
    return undefined;
  }

  /** By the name as it is written. A prefix has to be one that is declared here; the element's own is found by itself. */
  setAttribute(name: string, value: string): void {
    const at = this.#attributes.findIndex((attribute) => attribute.name === name);
    const local = localOf(name);
    const known = this.#attributes[at]?.namespace;
    const namespace = known ?? (local === name ? "" : (this.namespaceOf(name.slice(0, -local.length - 1)) ?? ""));
    const attribute = { name, local, namespace, value };
    if (at === -1) this.#attributes.push(attribute);
    else this.#attributes[at] = attribute;
    this.#tagTouched = true;
    this.touch();
  }

  removeAttribute(name: string): void {
    const kept = this.#attributes.filter((attribute) => attribute.name !== name);
    if (kept.length === this.#attributes.length) return;
    this.#attributes = kept;
    this.#tagTouched = true;
    this.touch();
  }

  /** What a prefix means here; undefined where it is not declared. */
  namespaceOf(prefix: string): string | undefined {
    if (prefix === "xml") return xmlNamespace;
    const name = prefix === "" ? "xmlns" : `xmlns:${prefix}`;
    for (const element of outwards(this)) {
      for (const attribute of element.#attributes) if (attribute.name === name) return transitional(attribute.value);
    }
    return prefix === "" ? "" : undefined;
  }

  /**
   * A prefix that means this namespace here, with its colon; undefined where none does. Elements may have none (empty) where it is
   * the default one; attributes always need one.
   */
  prefixFor(namespace: string, forAttribute = false): string | undefined {
    for (const element of outwards(this)) {
      for (const { name, value } of element.#attributes) {
        if (transitional(value) !== namespace || !name.startsWith("xmlns")) continue;
        const prefix = name.slice(6);
        if (forAttribute && prefix === "") continue;
        if (this.namespaceOf(prefix) === namespace) return prefix === "" ? "" : `${prefix}:`;
      }
    }
    return undefined;
  }

  /** The elements directly in it, of one name where one is given. */
  elements(local?: string, namespace?: string): XmlElement[] {
    return this.#children.filter(
      (child): child is XmlElement => child.kind === "element" && matches(child, local, namespace),
    );
  }

  /** The first such element directly in it. */
  first(local: string, namespace?: string): XmlElement | undefined {
    for (const child of this.#children) {
      if (child.kind === "element" && matches(child, local, namespace)) return child;
    }
    return undefined;
  }

  /** The element at the end of a path of local names, from here. */
  at(...path: string[]): XmlElement | undefined {
    return path.reduce<XmlElement | undefined>((element, local) => element?.first(local), this);
  }

  /** All elements in it at any depth, in document order. The tree must not change meanwhile. */
  *descendants(local?: string, namespace?: string): Generator<XmlElement> {
    const stack: { children: readonly XmlNode[]; at: number }[] = [{ children: this.#children, at: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = top.children[top.at++];
      if (!child) stack.pop();
      else if (child.kind === "element") {
        if (matches(child, local, namespace)) yield child;
        stack.push({ children: child.#children, at: 0 });
      }
    }
  }

  /** All text in it. */
  get text(): string {
    const direct = this.#children[0];
    if (this.#children.length === 1 && direct?.kind === "text") return direct.value;
    let text = "";
    const stack: { children: readonly XmlNode[]; at: number }[] = [{ children: this.#children, at: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const child = top.children[top.at++];
      if (!child) stack.pop();
      else if (child.kind === "text") text += child.value;
      else if (child.kind === "element") stack.push({ children: child.#children, at: 0 });
    }
    return text;
  }

  /** Puts one text in place of everything in it. */
  set text(value: string) {
    for (const child of this.#children) child.parent = null;
    this.#children = [];
    if (value === "") this.touch();
    else this.append(new XmlText(value));
  }

  /** What comes after something directly in it; null after the last. */
  after(node: XmlNode): XmlNode | null {
    return this.#children[this.#children.indexOf(node) + 1] ?? null;
  }

  append(...nodes: XmlNode[]): void {
    for (const node of nodes) this.insert(node, null);
  }

  /** Before `reference`, which is directly in it; at the end where that is null. A node that is elsewhere is taken from there. */
  insert(node: XmlNode, reference: XmlNode | null): void {
    node.parent?.remove(node);
    const at = reference ? this.#children.indexOf(reference) : this.#children.length;
    if (at === -1) throw new Error("The reference is not in this element.");
    this.#children.splice(at, 0, node);
    node.parent = this;
    this.touch();
  }

  remove(node: XmlNode): void {
    const at = this.#children.indexOf(node);
    if (at === -1) throw new Error("The node is not in this element.");
    this.#children.splice(at, 1);
    node.parent = null;
    this.touch();
  }

  /** A new element with the prefix and namespace of this one, which is nowhere yet. Attributes are by their written names. */
  create(local: string, attributes: Readonly<Record<string, string>> = {}): XmlElement {
    const element = new XmlElement(`${this.prefix}${local}`, this.namespace);
    for (const [name, value] of Object.entries(attributes)) {
      const own = localOf(name);
      const namespace = own === name ? "" : (this.namespaceOf(name.slice(0, -own.length - 1)) ?? "");
      element.#attributes.push({ name, local: own, namespace, value });
    }
    return element;
  }

  /** A copy with everything in it, which is nowhere yet. It goes where the same prefixes are declared. */
  clone(): XmlElement {
    const copy = new XmlElement(this.name, this.namespace, [...this.#attributes]);
    copy.#span = this.#span;
    copy.#tagTouched = this.#tagTouched;
    copy.#touched = this.#touched;
    for (const child of this.#children) {
      const cloned = child.clone();
      cloned.parent = copy;
      copy.#children.push(cloned);
    }
    return copy;
  }

  /** Notes that its source text is no longer what it says, up to the root. */
  touch(): void {
    for (const element of outwards(this)) {
      if (element.#touched) return;
      element.#touched = true;
    }
  }

  /** Only for the parser: where it stands, and what is in it. */
  place(span: Span, children: XmlNode[]): void {
    this.#span = span;
    this.#children = children;
    for (const child of children) child.parent = this;
  }

  /** Its source text where nothing in it changed. */
  get unchangedSource(): string | undefined {
    return this.#span && !this.#touched ? this.#span.source.slice(this.#span.start, this.#span.end) : undefined;
  }

  /** Its start tag without the end of it (`>` or `/>`). */
  startTag(): string {
    if (this.#span && !this.#tagTouched) {
      const { source, start, open, closed } = this.#span;
      return source.slice(start, open - (closed ? 2 : 1));
    }
    return `<${this.name}${this.#attributes.map(({ name, value }) => ` ${name}="${escapeAttribute(value)}"`).join("")}`;
  }

  toString(): string {
    const out: string[] = [];
    write(this, out);
    return out.join("");
  }
}

export const xmlNamespace = "http://www.w3.org/XML/1998/namespace";

export function escapeText(text: string): string {
  return wellFormed(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll("\r", "&#13;");
}

export function escapeAttribute(text: string): string {
  return escapeText(text).replaceAll('"', "&quot;").replaceAll("\t", "&#9;").replaceAll("\n", "&#10;");
}

/** XML has no way to write these characters; a writer that let them pass would make a document that nobody can open. */
function wellFormed(text: string): string {
  if (illegal.test(text) || !text.isWellFormed()) throw refusal("The text holds characters that XML cannot hold.");
  return text;
}

function write(root: XmlElement, out: string[]): void {
  const stack: { element: XmlElement; at: number }[] = [];
  const begin = (element: XmlElement): void => {
    const source = element.unchangedSource;
    if (source !== undefined) out.push(source);
    else if (element.children.length === 0) out.push(element.startTag(), "/>");
    else {
      out.push(element.startTag(), ">");
      stack.push({ element, at: 0 });
    }
  };
  begin(root);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    const child = top.element.children[top.at++];
    if (!child) {
      out.push("</", top.element.name, ">");
      stack.pop();
    } else if (child.kind === "element") begin(child);
    else out.push(child.toString());
  }
}

/** An element, what it is in, and so on up to the root. */
function* outwards(element: XmlElement): Generator<XmlElement> {
  for (let at: XmlElement | null = element; at; at = at.parent) yield at;
}

function matches(element: XmlElement, local: string | undefined, namespace: string | undefined): boolean {
  return (
    (local === undefined || element.local === local) && (namespace === undefined || element.namespace === namespace)
  );
}

function localOf(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

// oxlint-disable-next-line no-control-regex -- The characters that XML 1.0 does not allow (production 2).
const illegal = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
const startChars =
  "A-Z_a-z\\u00C0-\\u00D6\\u00D8-\\u00F6\\u00F8-\\u02FF\\u0370-\\u037D\\u037F-\\u1FFF\\u200C\\u200D\\u2070-\\u218F\\u2C00-\\u2FEF\\u3001-\\uD7FF\\uF900-\\uFDCF\\uFDF0-\\uFFFD\\u{10000}-\\u{EFFFF}";
const nameToken = `[${startChars}][${startChars}\\-.0-9\\u00B7\\u0300-\\u036F\\u203F\\u2040]*`;
const nameAt = new RegExp(`${nameToken}(?::${nameToken})?`, "uy");
const attributeAt = new RegExp(
  `[ \\t\\r\\n]+(${nameToken}(?::${nameToken})?)[ \\t\\r\\n]*=[ \\t\\r\\n]*("[^"<]*"|'[^'<]*')`,
  "uy",
);
const tagEndAt = /[ \t\r\n]*(\/?>)/y;
const spaceAt = /[ \t\r\n]*/y;
const declarationAt = /<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?:"1\.0"|'1\.0')(?:[ \t\r\n][^<>]*)?\?>/y;

interface Open {
  readonly element: XmlElement;
  readonly start: number;
  readonly open: number;
  readonly children: XmlNode[];
  readonly scope: Map<string, string>;
}

class Parser {
  readonly #source: string;
  #at = 0;
  #nodes = 0;

  constructor(source: string) {
    this.#source = source;
  }

  document(): XmlDocument {
    const source = this.#source;
    if (source.length > limits.xmlLength) throw refusal("A part of the document is too large to be read.");
    if (illegal.test(source) || !source.isWellFormed()) throw this.#broken("characters that XML does not allow");
    if (source.startsWith("<?xml") && /\s/.test(source[5] ?? "")) {
      if (this.#match(declarationAt) === undefined) throw this.#broken("a declaration of another version");
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
    const stack: Open[] = [];
    const scope = new Map([["xml", xmlNamespace]]);
    const root = this.#startTag(stack, scope);
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const source = this.#source;
      if (source.charCodeAt(this.#at) !== lessThan) {
        this.#text(top);
        continue;
      }
      const next = source.charCodeAt(this.#at + 1);
      if (next === slash) {
        this.#endTag(stack, top);
      } else if (next === exclamation && source.startsWith("<![CDATA[", this.#at)) {
        const end = source.indexOf("]]>", this.#at);
        if (end === -1) throw this.#broken("a section that does not end");
        const raw = source.slice(this.#at, end + 3);
        top.children.push(this.#counted(new XmlText(newLines(raw.slice(9, -3)), raw)));
        this.#at = end + 3;
      } else if (next === exclamation || next === question) {
        const other = this.#other();
        if (!other) throw this.#broken("a declaration, which Office documents do not have");
        top.children.push(other);
      } else {
        const child = this.#startTag(stack, top.scope);
        top.children.push(child);
      }
    }
    return root;
  }

  #startTag(stack: Open[], outer: Map<string, string>): XmlElement {
    const start = this.#at;
    if (this.#source.charCodeAt(start) !== lessThan) throw this.#broken("no element");
    this.#at++;
    const name = this.#match(nameAt)?.[0];
    if (name === undefined) {
      throw this.#broken(this.#source.startsWith("!DOCTYPE", this.#at) ? "a document type" : "a tag without a name");
    }
    if (stack.length >= limits.xmlDepth) throw refusal("A part of the document is nested too deeply.");
    const written: { name: string; value: string }[] = [];
    let scope = outer;
    for (let found = this.#match(attributeAt); found; found = this.#match(attributeAt)) {
      const [, attribute = "", quoted = ""] = found;
      if (written.length >= limits.xmlAttributes) throw refusal("An element of the document has too many attributes.");
      const value = this.#value(quoted.slice(1, -1));
      written.push({ name: attribute, value });
      if (attribute === "xmlns" || attribute.startsWith("xmlns:")) {
        if (scope === outer) scope = new Map(outer);
        this.#declare(scope, attribute === "xmlns" ? "" : attribute.slice(6), value);
      }
    }
    const end = this.#match(tagEndAt)?.[1];
    if (end === undefined) throw this.#broken("a tag that does not end, or a bad attribute");
    const attributes = written.map((attribute) => this.#resolved(attribute, scope));
    if (attributes.length > 1) this.#refuseEqual(attributes);
    const element = this.#counted(new XmlElement(name, this.#namespace(name, scope), attributes));
    if (end === "/>") {
      element.place({ source: this.#source, start, open: this.#at, end: this.#at, closed: true }, []);
    } else {
      stack.push({ element, start, open: this.#at, children: [], scope });
    }
    return element;
  }

  #endTag(stack: Open[], { element, start, open, children }: Open): void {
    this.#at += 2;
    if (!this.#source.startsWith(element.name, this.#at)) throw this.#broken("tags that do not match");
    this.#at += element.name.length;
    if (this.#match(tagEndAt)?.[1] !== ">") throw this.#broken("tags that do not match");
    element.place({ source: this.#source, start, open, end: this.#at, closed: false }, children);
    stack.pop();
  }

  #text(top: Open): void {
    const found = this.#source.indexOf("<", this.#at);
    if (found === -1) throw this.#broken("no end");
    const raw = this.#source.slice(this.#at, found);
    if (raw.includes("]]>")) throw this.#broken("the end of a section that did not begin");
    top.children.push(this.#counted(new XmlText(this.#entities(newLines(raw)), raw)));
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
      const name = this.#match(nameAt)?.[0];
      if (end === -1 || name === undefined || name.toLowerCase() === "xml" || name.includes(":")) {
        throw this.#broken("a bad instruction");
      }
      this.#at = end + 2;
    } else return undefined;
    return this.#counted(new XmlOther(source.slice(start, this.#at)));
  }

  #declare(scope: Map<string, string>, prefix: string, uri: string): void {
    if (prefix === "xmlns" || (prefix === "xml") !== (uri === xmlNamespace) || (prefix !== "" && uri === "")) {
      throw this.#broken("a bad namespace");
    }
    scope.set(prefix, transitional(uri));
  }

  #namespace(name: string, scope: Map<string, string>): string {
    const colon = name.indexOf(":");
    if (colon === -1) return scope.get("") ?? "";
    const namespace = scope.get(name.slice(0, colon));
    if (namespace === undefined) throw this.#broken("a prefix that is not declared");
    return namespace;
  }

  #resolved({ name, value }: { name: string; value: string }, scope: Map<string, string>): XmlAttribute {
    const local = localOf(name);
    if (name === "xmlns" || name.startsWith("xmlns:")) return { name, local, namespace: xmlnsNamespace, value };
    return { name, local, namespace: local === name ? "" : this.#namespace(name, scope), value };
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

  #counted<Node extends XmlNode>(node: Node): Node {
    if (++this.#nodes > limits.xmlNodes) throw refusal("A part of the document has too many elements.");
    return node;
  }

  #broken(what: string): Error {
    return refusal(`A part of the document is no XML that Office documents are made of: it has ${what}.`);
  }
}

const lessThan = 0x3c;
const slash = 0x2f;
const exclamation = 0x21;
const question = 0x3f;
const xmlnsNamespace = "http://www.w3.org/2000/xmlns/";
const named5: Readonly<Record<string, string>> = {
  __proto__: null as unknown as string,
  "amp;": "&",
  "lt;": "<",
  "gt;": ">",
  "quot;": '"',
  "apos;": "'",
};

function newLines(text: string): string {
  return text.includes("\r") ? text.replace(/\r\n?/g, "\n") : text;
}

/** ISO 29500 strict documents use other names for the same vocabulary. */
function transitional(namespace: string): string {
  if (!namespace.startsWith(strictStart)) return namespace;
  const rest = namespace.slice(strictStart.length);
  const known = strictNames[rest];
  return known ?? namespace;
}

const strictStart = "http://purl.oclc.org/ooxml/";
const officeDocument = "http://schemas.openxmlformats.org/officeDocument/2006/";
const drawing = "http://schemas.openxmlformats.org/drawingml/2006/";
const strictNames: Readonly<Record<string, string>> = {
  __proto__: null as unknown as string,
  "wordprocessingml/main": "http://schemas.openxmlformats.org/wordprocessingml/2006/main",
  "spreadsheetml/main": "http://schemas.openxmlformats.org/spreadsheetml/2006/main",
  "presentationml/main": "http://schemas.openxmlformats.org/presentationml/2006/main",
  "drawingml/main": `${drawing}main`,
  "drawingml/chart": `${drawing}chart`,
  "drawingml/diagram": `${drawing}diagram`,
  "drawingml/picture": `${drawing}picture`,
  "drawingml/chartDrawing": `${drawing}chartDrawing`,
  "drawingml/spreadsheetDrawing": `${drawing}spreadsheetDrawing`,
  "drawingml/wordprocessingDrawing": `${drawing}wordprocessingDrawing`,
  "officeDocument/relationships": `${officeDocument}relationships`,
  "officeDocument/math": `${officeDocument}math`,
  "officeDocument/docPropsVTypes": `${officeDocument}docPropsVTypes`,
  "officeDocument/extendedProperties": `${officeDocument}extended-properties`,
  "officeDocument/customProperties": `${officeDocument}custom-properties`,
};

/** Types of relationships have strict names, too; they are given by what follows the last slash. */
export function relationshipKind(type: string): string {
  return type.slice(type.lastIndexOf("/") + 1);
}
