import { refusal } from "./refusal.ts";
import { localOf, transitional, xmlNamespace } from "./xml-names.ts";

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
  parent: XmlElement | null = null;
  #value: string;
  #raw: string | undefined;

  constructor(value: string, raw?: string) {
    this.#value = value;
    this.#raw = raw;
  }

  get kind(): "text" {
    return "text";
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
  parent: XmlElement | null = null;
  readonly #raw: string;

  constructor(raw: string) {
    this.#raw = raw;
  }

  get kind(): "other" {
    return "other";
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

export class XmlElement {
  /** As it is written, with its prefix. */
  readonly name: string;
  readonly local: string;
  /** Namespaces of the strict variant of Office documents are given as those of the transitional one. */
  readonly namespace: string;
  parent: XmlElement | null = null;
  #attributes: readonly XmlAttribute[];
  #children: XmlNode[] = none;
  /** Where it stands in its source: the start, what follows the start tag, the end. */
  #source: string | undefined;
  #start = 0;
  #open = 0;
  #end = 0;
  /** The source of the start tag is good until attributes change, all of it until anything below does. */
  #tagTouched = false;
  #touched = false;

  constructor(name: string, namespace: string, attributes: readonly XmlAttribute[] = none, local = localOf(name)) {
    this.name = name;
    this.local = local;
    this.namespace = namespace;
    this.#attributes = attributes;
  }

  get kind(): "element" {
    return "element";
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
    this.#attributes = at === -1 ? [...this.#attributes, attribute] : this.#attributes.with(at, attribute);
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
    this.#children = none;
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
    if (this.#children === none) this.#children = [node];
    else this.#children.splice(at, 0, node);
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
    const written = Object.entries(attributes).map(([name, value]) => {
      const own = localOf(name);
      const namespace = own === name ? "" : (this.namespaceOf(name.slice(0, -own.length - 1)) ?? "");
      return { name, local: own, namespace, value };
    });
    return new XmlElement(`${this.prefix}${local}`, this.namespace, written);
  }

  /** A copy with everything in it, which is nowhere yet. It goes where the same prefixes are declared. */
  clone(): XmlElement {
    const copy = new XmlElement(this.name, this.namespace, this.#attributes, this.local);
    const children = this.#children.map((child) => child.clone());
    if (this.#source !== undefined) copy.place(this.#source, this.#start, this.#open, this.#end);
    copy.hold(children);
    copy.#tagTouched = this.#tagTouched;
    copy.#touched = this.#touched;
    return copy;
  }

  /** Notes that its source text is no longer what it says, up to the root. */
  touch(): void {
    for (const element of outwards(this)) {
      if (element.#touched) return;
      element.#touched = true;
    }
  }

  /** Only for the parser: where it stands. */
  place(source: string, start: number, open: number, end: number): void {
    this.#source = source;
    this.#start = start;
    this.#open = open;
    this.#end = end;
  }

  /** Only for the parser: what is in it. */
  hold(children: XmlNode[]): void {
    this.#children = children;
    for (const child of children) child.parent = this;
  }

  /** Its source text where nothing in it changed. */
  get unchangedSource(): string | undefined {
    return this.#touched ? undefined : this.#source?.slice(this.#start, this.#end);
  }

  /** Its start tag without the end of it (`>` or `/>`). */
  startTag(): string {
    if (this.#source !== undefined && !this.#tagTouched) {
      const end = this.#open - (this.#source[this.#open - 2] === "/" ? 2 : 1);
      return this.#source.slice(this.#start, end);
    }
    return `<${this.name}${this.#attributes.map(({ name, value }) => ` ${name}="${escapeAttribute(value)}"`).join("")}`;
  }

  toString(): string {
    const out: string[] = [];
    write(this, out);
    return out.join("");
  }
}

/** Lists that are empty are one list: a document has millions of them. */
const none: never[] = [];

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
  if (illegalInXml.test(text) || !text.isWellFormed()) throw refusal("The text holds characters that XML cannot hold.");
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

// oxlint-disable-next-line no-control-regex -- The characters that XML 1.0 does not allow (production 2).
export const illegalInXml = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/;
