/** Names of ISO 29500 that new parts are written with. */
export const namespaces = {
  a: "http://schemas.openxmlformats.org/drawingml/2006/main",
  p: "http://schemas.openxmlformats.org/presentationml/2006/main",
  r: "http://schemas.openxmlformats.org/officeDocument/2006/relationships",
} as const;

export const relationshipTypes = {
  officeDocument: `${namespaces.r}/officeDocument`,
  slide: `${namespaces.r}/slide`,
  slideLayout: `${namespaces.r}/slideLayout`,
  slideMaster: `${namespaces.r}/slideMaster`,
  notesSlide: `${namespaces.r}/notesSlide`,
  notesMaster: `${namespaces.r}/notesMaster`,
  theme: `${namespaces.r}/theme`,
} as const;

const presentationMl = "application/vnd.openxmlformats-officedocument.presentationml";
export const presentationType = `${presentationMl}.presentation.main+xml`;
export const slideType = `${presentationMl}.slide+xml`;
export const layoutType = `${presentationMl}.slideLayout+xml`;
export const masterType = `${presentationMl}.slideMaster+xml`;
export const notesType = `${presentationMl}.notesSlide+xml`;
export const notesMasterType = `${presentationMl}.notesMaster+xml`;
export const themeType = "application/vnd.openxmlformats-officedocument.theme+xml";
