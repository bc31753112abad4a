import type { XmlElement } from "../xml.ts";

/** A property that is there is on, unless it says otherwise. */
export function isOn(property: XmlElement | undefined): boolean {
  return property !== undefined && !["0", "false", "off"].includes(property.attribute("val") ?? "1");
}
