import { refusal } from "../refusal.ts";
import type { XmlElement } from "../xml.ts";

/** A property that is there is on, unless it says otherwise. */
export function isOn(property: XmlElement | undefined): boolean {
  return property !== undefined && !["0", "false", "off"].includes(property.attribute("val") ?? "1");
}

/** What attributes of this vocabulary begin with near an element. */
export function attributePrefix(near: XmlElement): string {
  const prefix = near.prefix === "" ? near.prefixFor(near.namespace, true) : near.prefix;
  if (prefix === undefined) throw refusal("The document declares no prefix for attributes, so this cannot be written.");
  return prefix;
}
