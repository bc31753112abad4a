export const xmlNamespace = "http://www.w3.org/XML/1998/namespace";
export const xmlnsNamespace = "http://www.w3.org/2000/xmlns/";

/** A name without its prefix. */
export function localOf(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}

/** Types of relationships have strict names, too; they are given by what follows the last slash. */
export function relationshipKind(type: string): string {
  return type.slice(type.lastIndexOf("/") + 1);
}

/** ISO 29500 strict documents use other names for the same vocabulary. */
export function transitional(namespace: string): string {
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
