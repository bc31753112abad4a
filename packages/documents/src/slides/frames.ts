import type { OfficePackage } from "../package.ts";
import type { XmlElement } from "../xml.ts";
import { relatedPart } from "./deck.ts";

export type Frame = [left: number, top: number, width: number, height: number];

/** Left, top, width and height of an `xfrm`, in the units of what it is in. */
export function boxOf(xfrm: XmlElement | undefined, offset = "off", extent = "ext"): Frame | null {
  const off = xfrm?.first(offset);
  const ext = xfrm?.first(extent);
  const box = [off?.attribute("x"), off?.attribute("y"), ext?.attribute("cx"), ext?.attribute("cy")].map(Number);
  return box.every((value) => Number.isFinite(value) && Math.abs(value) < 1e12) ? (box as Frame) : null;
}

/** From the units in a group to those around it. */
export type Place = (box: Frame) => Frame;

export const unmoved: Place = (box) => box;

export function placeInGroup(group: XmlElement, outer: Place): Place {
  const xfrm = group.at("grpSpPr", "xfrm");
  const box = boxOf(xfrm);
  const inner = boxOf(xfrm, "chOff", "chExt");
  if (!box || !inner) return outer;
  const [across, down] = [inner[2] === 0 ? 1 : box[2] / inner[2], inner[3] === 0 ? 1 : box[3] / inner[3]];
  return ([left, top, width, height]) =>
    outer([box[0] + (left - inner[0]) * across, box[1] + (top - inner[1]) * down, width * across, height * down]);
}

/**
 * Where a placeholder is that does not say so itself: as its layout says, else as the master does. A slide's placeholder is
 * its layout's by index, and the layout's is the master's by type (ISO 29500-1, 19.3.1.36).
 */
export class Placeholders {
  readonly #pack: OfficePackage;
  readonly #layout: readonly XmlElement[];
  readonly #master: readonly XmlElement[];

  constructor(pack: OfficePackage, slide: string) {
    this.#pack = pack;
    const layout = relatedPart(pack, slide, "slideLayout");
    const master = layout === undefined ? undefined : relatedPart(pack, layout, "slideMaster");
    this.#layout = this.#shapesOf(layout);
    this.#master = this.#shapesOf(master);
  }

  frameOf(placeholder: XmlElement): Frame | null {
    const index = placeholder.attribute("idx", "") ?? "0";
    const type = placeholder.attribute("type", "") ?? "obj";
    const inLayout =
      this.#layout.find(
        (shape) => (placeholderOf(shape)?.attribute("idx", "") ?? "0") === index && same(shape, type),
      ) ??
      this.#layout.find((shape) => index !== "0" && (placeholderOf(shape)?.attribute("idx", "") ?? "0") === index) ??
      this.#layout.find((shape) => same(shape, type));
    const inMaster = this.#master.find((shape) => same(shape, type));
    return boxOf(inLayout?.at("spPr", "xfrm")) ?? boxOf(inMaster?.at("spPr", "xfrm"));
  }

  #shapesOf(part: string | undefined): readonly XmlElement[] {
    if (part === undefined) return [];
    const tree = this.#pack.xml(part).root.at("cSld", "spTree");
    return (tree?.elements("sp") ?? []).filter((shape) => placeholderOf(shape) !== undefined);
  }
}

export function placeholderOf(shape: XmlElement): XmlElement | undefined {
  const properties = shape.elements().find(({ local }) => local.startsWith("nv"));
  return properties?.at("nvPr", "ph");
}

/** Titles of all sorts are one type to a layout, and so are bodies. */
function same(shape: XmlElement, type: string): boolean {
  return typeGroup(placeholderOf(shape)?.attribute("type", "") ?? "obj") === typeGroup(type);
}

function typeGroup(name: string): string {
  if (name === "ctrTitle") return "title";
  return ["obj", "subTitle", "body"].includes(name) ? "body" : name;
}
